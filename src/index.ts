/**
 * webgpu-conv: convolutional layers on the GPU, forward and backward.
 *
 * This entry is for pages and workers; `webgpu-conv/node` has the same for Node, `webgpu-conv/nn` what a network
 * needs besides to be trained, `webgpu-conv/reference` the float64 reference.
 */
import { makeEngine } from "./api/createEngine.js";
import type { Engine } from "./api/engine.js";
import type { EngineOptions } from "./api/engineOptions.js";
import type { Globals } from "./api/globals.js";
import { pagePlatform } from "./api/platform.js";

export type { EngineOptions, ForwardEngineOptions } from "./api/engineOptions.js";
export { Engine } from "./api/engine.js";
export type { EngineMemory, ForwardEngine } from "./api/forwardEngine.js";
export type { WrapOptions } from "./api/borrowedTensors.js";
export type { TensorOptions } from "./api/newTensors.js";
export type { DataOptions, TensorData } from "./tensor/values.js";
export type { NumberArray } from "./base/half.js";
export type { NumberList } from "./base/list.js";
export type { ExplainOptions } from "./calls/describeOperation.js";
export type { OperationName } from "./problem/operationNames.js";
export { ConvGradients } from "./calls/convGradients.js";
export type { ActivationName } from "./problem/activation.js";
export type { DType } from "./problem/dtype.js";
export type { Layout, TransposedWeightLayout, WeightLayout } from "./problem/layout.js";
export type { DrawOptions, DrawTarget } from "./backend/draw.js";
export type { ImageOptions } from "./problem/images.js";
export type { ImageSource, Pixels } from "./problem/pixels.js";
export type { PaddingMode } from "./problem/padding.js";
export type { AdapterDescription, DeviceLoss, LostTensor, Recovery, SpecialValues, Timing } from "./backend/backend.js";
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
export type { ChosenBy, ExplainedDispatch, Explanation, ExplainShapes } from "./calls/explain.js";
export * from "./problem/geometry.js";
export type {
  ActivateOptions,
  Activation,
  ActivationGradientOptions,
  BackwardOptions,
  BackwardSolvers,
  ConvOptions,
  ForwardOptions,
  GradientOptions,
  TransposedForwardOptions,
  TransposedGradientOptions,
} from "./calls/options.js";
export type { Padding, PerAxis, TransposedSize } from "./problem/options.js";
export type { SolverChoice } from "./planning/choice.js";
export type { DeviceClass } from "./planning/devices.js";
export type { ConvProblem, Rank, Triple } from "./problem/problem.js";
export type { PassedOver } from "./planning/solver.js";
export type { Direction } from "./problem/operation.js";
export { Compiled, type Encoded } from "./api/recording.js";
export type { TiledResult } from "./tiled/convolveTiled.js";
export type { TiledLayer } from "./tiled/layers.js";
export type { TiledOptions, TiledSink, TiledSource } from "./tiled/options.js";
export type { TileRegion } from "./tiled/region.js";
export { Tensor } from "./tensor/tensor.js";
export { VERSION } from "./base/version.js";
export type { Candidate } from "./tuner/ownCandidate.js";
export { indexedDbStore } from "./tuner/indexedDbStore.js";
export { memoryStore, type TuningData, type TuningEntry, type TuningStore } from "./tuner/store.js";
export type { Verdict } from "./tuner/trial.js";
export type { TuningReport } from "./tuner/measure.js";
export type { TuneMode, Tuning } from "./tuner/tuning.js";

/**
 * Makes an engine on this page's, worker's or Deno's GPU.
 *
 * @throws DeviceError with the remedy when there is no WebGPU, no adapter, or no device.
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const globals: Globals & { readonly navigator?: { readonly gpu?: GPU } } = globalThis;
  return await makeEngine(options, () => Promise.resolve(pagePlatform(globals, globals.navigator?.gpu)));
}
