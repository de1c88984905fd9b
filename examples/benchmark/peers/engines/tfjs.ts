/** TensorFlow.js on its WebGPU backend, channels last: the only layout that all its kernels take. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { type LayerCase, type PeerEngine, permute, type PreparedPass, preparedPass } from "../engine.js";
import type { Pass } from "../layers.js";

export const NCHW_TO_NHWC = [0, 2, 3, 1] as const;
const NHWC_TO_NCHW = [0, 3, 1, 2] as const;
/** [out, in, kh, kw] to [kh, kw, in, out]. */
export const OIHW_TO_HWIO = [2, 3, 1, 0] as const;
export const HWIO_TO_OIHW = [3, 2, 0, 1] as const;
/** A depthwise filter is [kh, kw, channels, 1]; w is [channels, 1, kh, kw]. */
const OIHW_TO_HWOI = [2, 3, 0, 1] as const;
const HWOI_TO_OIHW = [2, 3, 0, 1] as const;

const BACKEND = "webgpu";

/** A backend with a device of its own, and what the device says; the library works on that backend from then on. */
export async function openBackend(
  adapter: GPUAdapter,
): Promise<{ readonly backend: WebGPUBackend; readonly errors: string[] }> {
  // As the backend's own factory does it, but for features that convolutions don't use.
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    requiredLimits: {
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
  });
  const errors: string[] = [];
  device.addEventListener("uncapturederror", ({ error }) => errors.push(error.message));
  const backend = new WebGPUBackend(device, adapter.info);
  tf.removeBackend(BACKEND);
  tf.registerBackend(BACKEND, () => backend);
  await tf.setBackend(BACKEND);
  return { backend, errors };
}

export async function openTfjs(adapter: GPUAdapter): Promise<PeerEngine> {
  const { backend, errors } = await openBackend(adapter);
  return {
    name: "tfjs-webgpu",
    version: tf.version_core,
    prepare: (layerCase, pass) => Promise.resolve(prepare(backend, errors, layerCase, pass)),
  };
}

/**
 * Submits all recorded work and waits for it.
 *
 * @param errors what the device says; emptied here
 */
export async function submitAll(backend: WebGPUBackend, errors: string[]): Promise<void> {
  // What submitQueue takes for granted.
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
  await backend.queue.onSubmittedWorkDone();
  if (errors.length > 0) throw new Error(errors.splice(0)[0]);
}

/** @param errors what the device says; emptied here */
function prepare(backend: WebGPUBackend, errors: string[], layerCase: LayerCase, pass: Pass): PreparedPass {
  const { problem, layer } = layerCase;
  const depthwise = layer.options.groups > 1 && layer.options.groups === problem.inChannels;
  const filterOrder = depthwise ? OIHW_TO_HWOI : OIHW_TO_HWIO;
  const x = tensor(layerCase.x, problem.inputShape, NCHW_TO_NHWC);
  const filter = tensor(layerCase.w, problem.weightShape, filterOrder);
  const dy = tensor(layerCase.dy, problem.outputShape, NCHW_TO_NHWC);
  const backOrder = pass !== "weightGradient" ? NHWC_TO_NCHW : depthwise ? HWOI_TO_OIHW : HWIO_TO_OIHW;
  return preparedPass({
    enqueue: makeCall(layerCase, depthwise, x, filter, dy)[pass],
    finish: () => submitAll(backend, errors),
    read: async (result) => permute((await result.data()) as Float32Array, result.shape, backOrder),
    release: (result) => result.dispose(),
    close: () => tf.dispose([x, filter, dy]),
  });
}

function tensor(
  values: Float32Array,
  shape: readonly number[],
  order: typeof NCHW_TO_NHWC | typeof OIHW_TO_HWIO | typeof OIHW_TO_HWOI,
) {
  return tf.tensor4d(
    permute(values, shape, order),
    order.map((axis) => shape[axis]) as [number, number, number, number],
  );
}

/** The gradients are the library's own, those that `tf.grad` would call, without the forward pass before them. */
function makeCall(
  { layer }: LayerCase,
  depthwise: boolean,
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  dy: tf.Tensor4D,
): Record<Pass, () => tf.Tensor> {
  const { stride: strides, padding: pad, dilation: dilations } = layer.options;
  const kernel = depthwise ? tf.DepthwiseConv2dNative : tf.Conv2D;
  const gradient = (operand: "x" | "filter"): tf.Tensor => {
    const attributes = { strides: [strides, strides], pad, dilations: [dilations, dilations], dataFormat: "NHWC" };
    const config = tf.getGradient(kernel);
    return tf.tidy(() => {
      const gradients = config.gradFunc(dy, [x, filter], attributes) as Record<"x" | "filter", () => tf.Tensor>;
      return gradients[operand]();
    });
  };
  return {
    forward: () =>
      depthwise
        ? tf.depthwiseConv2d(x, filter, strides, pad, "NHWC", dilations)
        : tf.conv2d(x, filter, strides, pad, "NHWC", dilations),
    inputGradient: () => gradient("x"),
    weightGradient: () => gradient("filter"),
  };
}
