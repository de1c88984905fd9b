/**
 * ONNX Runtime Web: its WebGPU provider, and its WebAssembly provider, which is the CPU's baseline. It has no gradients;
 * an input gradient is the operator ConvTranspose.
 */
import type * as Ort from "onnxruntime-web";
import { dependencies } from "../package.json";
import {
  CPU_BASELINE,
  type LayerCase,
  type PeerEngine,
  permute,
  type PreparedPass,
  preparedPass,
  timeSlice,
} from "../engine.js";
import type { Layer, Pass } from "../layers.js";
import { encodeModel, type OnnxGraph, type OnnxNode } from "../onnxModel.js";

type Provider = "webgpu" | "wasm";
type Layout = "NCHW" | "NHWC";

const VERSION = dependencies["onnxruntime-web"];
const NCHW_TO_NHWC = [0, 2, 3, 1] as const;
const NHWC_TO_NCHW = [0, 3, 1, 2] as const;

/**
 * Which layout is quicker differs from layer to layer: each pass is prepared in both, and the quicker one stays.
 *
 * @param ort the library in its build with WebGPU
 */
export function openOrtWebgpu(ort: typeof Ort): PeerEngine {
  const prepare = async (layerCase: LayerCase, pass: Pass): Promise<PreparedPass> => {
    const candidates: PreparedPass[] = [];
    const problems: unknown[] = [];
    for (const layout of ["NHWC", "NCHW"] as const) {
      await prepareOnGpu(ort, layerCase, pass, layout).then(
        (prepared) => candidates.push(prepared),
        (problem: unknown) => problems.push(problem),
      );
    }
    if (candidates.length === 0) throw problems[0];
    return await quickest(candidates);
  };
  return { name: "onnxruntime-webgpu", version: VERSION, prepare };
}

async function prepareOnGpu(ort: typeof Ort, layerCase: LayerCase, pass: Pass, layout: Layout): Promise<PreparedPass> {
  const session = await openSession(ort, layerCase, pass, "webgpu", layout);
  const device = await ort.env.webgpu.device;
  const { values, shape } = source(layerCase, pass, layout);
  const buffer = upload(device, values);
  const input = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape });
  return preparedPass<Ort.Tensor>({
    enqueue: async () => (await session.run({ source: input })).result,
    finish: () => device.queue.onSubmittedWorkDone(),
    read: async (result) => {
      const read = (await result.getData()) as Float32Array;
      return layout === "NHWC" ? permute(read, result.dims, NHWC_TO_NCHW) : read;
    },
    release: (result) => result.dispose(),
    close: () => {
      buffer.destroy();
      void session.release();
    },
  });
}

/** Keeps the quicker one, by the better of two calls each, and disposes of the others. */
async function quickest(candidates: readonly PreparedPass[]): Promise<PreparedPass> {
  const timed: { readonly prepared: PreparedPass; readonly ms: number }[] = [];
  for (const prepared of candidates) {
    await timeSlice(prepared, 1);
    timed.push({ prepared, ms: Math.min(await timeSlice(prepared, 1), await timeSlice(prepared, 1)) });
  }
  const [best, ...others] = timed.sort((a, b) => a.ms - b.ms);
  for (const { prepared } of others) prepared.dispose();
  return best.prepared;
}

/** @param ort the library in its build without WebGPU, the quicker one on the CPU */
export function openOrtWasm(ort: typeof Ort): PeerEngine {
  const prepareOnCpu = async (layerCase: LayerCase, pass: Pass): Promise<PreparedPass> => {
    const session = await openSession(ort, layerCase, pass, "wasm", "NCHW");
    const { values, shape } = source(layerCase, pass, "NCHW");
    const input = new ort.Tensor("float32", values, shape);
    return preparedPass<Ort.Tensor>({
      enqueue: async () => (await session.run({ source: input })).result,
      finish: () => Promise.resolve(),
      read: (result) => Promise.resolve(result.data as Float32Array),
      release: (result) => result.dispose(),
      close: () => void session.release(),
    });
  };
  return { name: CPU_BASELINE, version: VERSION, prepare: prepareOnCpu };
}

async function openSession(
  ort: typeof Ort,
  layerCase: LayerCase,
  pass: Pass,
  provider: Provider,
  layout: Layout,
): Promise<Ort.InferenceSession> {
  if (pass === "weightGradient")
    throw new Error("ONNX Runtime Web has no weight gradient: ONNX has no operator for it");
  const model = encodeModel(makeGraph(layerCase, pass, layout));
  return await ort.InferenceSession.create(model, {
    executionProviders: provider === "webgpu" ? [{ name: "webgpu", preferredLayout: layout }] : ["wasm"],
    ...(provider === "webgpu" && { preferredOutputLocation: "gpu-buffer" as const }),
    // A node that a provider cannot do must not be done by another one unseen.
    extra: provider === "webgpu" ? { session: { disable_cpu_ep_fallback: "1" } } : {},
  });
}

/** One node; in channels-last layout between transpositions, which the library's optimizer cancels against its own. */
function makeGraph({ layer, problem, w }: LayerCase, pass: "forward" | "inputGradient", layout: Layout): OnnxGraph {
  const [from, to] =
    pass === "forward" ? [problem.inputShape, problem.outputShape] : [problem.outputShape, problem.inputShape];
  const channelsLast = layout === "NHWC";
  const order = (shape: readonly number[]) => (channelsLast ? NCHW_TO_NHWC.map((axis) => shape[axis]) : shape);
  const node: OnnxNode = {
    operator: pass === "forward" ? "Conv" : "ConvTranspose",
    inputs: [channelsLast ? "sourceNchw" : "source", "weight"],
    output: channelsLast ? "resultNchw" : "result",
    attributes: nodeAttributes(layer, problem.outputShape, pass),
  };
  const nodes = channelsLast
    ? [transpose("source", "sourceNchw", NHWC_TO_NCHW), node, transpose("resultNchw", "result", NCHW_TO_NHWC)]
    : [node];
  return {
    nodes,
    constants: [{ name: "weight", shape: problem.weightShape, values: w }],
    input: { name: "source", shape: order(from) },
    output: { name: "result", shape: order(to) },
  };
}

function transpose(input: string, output: string, perm: readonly number[]): OnnxNode {
  return { operator: "Transpose", inputs: [input], output, attributes: { perm } };
}

function nodeAttributes(
  { options, input, weight }: Layer,
  outputShape: readonly number[],
  pass: Pass,
): OnnxNode["attributes"] {
  const { stride, padding, dilation, groups } = options;
  const attributes = {
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    dilations: [dilation, dilation],
    group: groups,
    kernel_shape: [weight[2], weight[3]],
  };
  if (pass === "forward") return attributes;
  // Rows and columns of x that no output of a strided layer reaches.
  const reached = (axis: number) => (outputShape[axis] - 1) * stride - 2 * padding + dilation * (weight[axis] - 1) + 1;
  return { ...attributes, output_padding: [2, 3].map((axis) => input[axis] - reached(axis)) };
}

function source({ problem, x, dy }: LayerCase, pass: Pass, layout: Layout) {
  const [values, shape] = pass === "forward" ? [x, problem.inputShape] : [dy, problem.outputShape];
  if (layout === "NCHW") return { values, shape };
  return { values: permute(values, shape, NCHW_TO_NHWC), shape: NCHW_TO_NHWC.map((axis) => shape[axis]) };
}

export function upload(device: GPUDevice, values: Float32Array<ArrayBuffer>): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  // Binding sizes are multiples of 16 bytes there.
  const buffer = device.createBuffer({ size: Math.ceil(values.byteLength / 16) * 16, usage });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
}
