/**
 * webgpu-conv/forward: convolutions forward, for pages that do nothing else. Its engine has a part of the methods that an
 * engine of `webgpu-conv` has, under the same names; such a page transfers about half as much.
 */
import { makeForwardEngine } from "./api/createForwardEngine.js";
import type { ForwardEngine } from "./api/forwardEngine.js";
import type { ForwardEngineOptions } from "./api/engineOptions.js";
import type { Globals } from "./api/globals.js";
import { pagePlatform } from "./api/platform.js";

export { type EngineMemory, ForwardEngine } from "./api/forwardEngine.js";
export type { TensorOptions } from "./api/newTensors.js";
export type { ForwardEngineOptions } from "./api/engineOptions.js";
export type { AdapterDescription, DeviceLoss, LostTensor, Recovery } from "./backend/backend.js";
export type { CancelSignal, Progress, WaitOptions } from "./backend/wait.js";
export type { FaultReason, KernelFault } from "./backend/kernelFault.js";
export {
  ArgumentError,
  CancelError,
  ConvError,
  DeviceError,
  DeviceLostError,
  LimitError,
  SolverError,
  TensorError,
} from "./base/errors.js";
export type { NumberArray } from "./base/half.js";
export type { NumberList } from "./base/list.js";
export type { Activation, ForwardOptions } from "./calls/options.js";
export type { SolverChoice } from "./planning/choice.js";
export type { ActivationName } from "./problem/activation.js";
export type { DType } from "./problem/dtype.js";
export type { Layout, WeightLayout } from "./problem/layout.js";
export type { Padding, PerAxis } from "./problem/options.js";
export type { PaddingMode } from "./problem/padding.js";
export { Tensor } from "./tensor/tensor.js";
export type { DataOptions, TensorData } from "./tensor/values.js";
export { VERSION } from "./base/version.js";

/**
 * Makes an engine for forward passes on this page's, worker's or Deno's GPU.
 *
 * @throws DeviceError with the remedy when there is no WebGPU, no adapter, or no device.
 */
export async function createEngine(options: ForwardEngineOptions = {}): Promise<ForwardEngine> {
  const globals: Globals & { readonly navigator?: { readonly gpu?: GPU } } = globalThis;
  return await makeForwardEngine(options, () => Promise.resolve(pagePlatform(globals, globals.navigator?.gpu)));
}
