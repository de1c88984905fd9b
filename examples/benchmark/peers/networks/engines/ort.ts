/** ONNX Runtime Web: the runtime that ONNX files are published for, by WebGPU and, as the CPU's baseline, by WebAssembly. */
import type * as Ort from "onnxruntime-web";
import { upload } from "../../engines/ort.js";
import type { NetworkInMemory, RunningNetwork } from "../task.js";

/** @param ort the library in its build with WebGPU */
export async function openOrtWebgpu(ort: typeof Ort, { network, model, x }: NetworkInMemory): Promise<RunningNetwork> {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["webgpu"],
    preferredOutputLocation: "gpu-buffer",
  });
  const device = await ort.env.webgpu.device;
  const buffer = upload(device, x);
  const input = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: network.input });
  return {
    device,
    run: () => runAndRead(session, input),
    close: async () => {
      buffer.destroy();
      await session.release();
    },
  };
}

/** @param ort the library in its build without WebGPU, the quicker one on the CPU */
export async function openOrtWasm(ort: typeof Ort, { network, model, x }: NetworkInMemory): Promise<RunningNetwork> {
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const input = new ort.Tensor("float32", x, network.input);
  return { device: undefined, run: () => runAndRead(session, input), close: () => session.release() };
}

async function runAndRead(session: Ort.InferenceSession, input: Ort.Tensor): Promise<Float32Array> {
  const results = await session.run({ [session.inputNames[0]]: input });
  const result = results[session.outputNames[0]];
  const values = (await result.getData()) as Float32Array;
  result.dispose();
  return values;
}
