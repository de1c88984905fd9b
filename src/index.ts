/**
 * webgpu-conv: convolutional layers on the GPU, forward and backward.
 *
 * This entry is for pages and workers; `webgpu-conv/node` has the same for Node, `webgpu-conv/reference` the
 * float64 reference.
 */
import { type EngineOptions, makeEngine } from "./createEngine.js";
import type { Engine } from "./engine.js";
import { type Globals, pagePlatform } from "./platform.js";

export { type EngineOptions } from "./createEngine.js";
export { Engine, type EngineMemory, type TensorOptions, type WrapOptions } from "./engine.js";
export type { DataOptions, TensorData } from "./values.js";
export type { NumberArray } from "./half.js";
export type { NumberList } from "./list.js";
export type { ExplainOptions } from "./describeOperation.js";
export type { OperationName } from "./operationNames.js";
export { ConvGradients } from "./convolutions.js";
export type { TransposedForwardOptions, TransposedGradientOptions } from "./transposedConvolutions.js";
export type { Activation, ActivationName } from "./activation.js";
export type { ActivateOptions, ActivationGradientOptions } from "./activations.js";
export type { DType } from "./dtype.js";
export type { Layout, TransposedWeightLayout, WeightLayout } from "./layout.js";
export type { DrawOptions, DrawTarget } from "./draw.js";
export type { ImageOptions, ImageSource, Pixels } from "./pixels.js";
export type { PaddingMode } from "./padding.js";
export type { AdapterDescription, SpecialValues, Timing } from "./backend.js";
export { ArgumentError, ConvError, DeviceError, LimitError, SolverError, TensorError } from "./errors.js";
export type { ChosenBy, ExplainedDispatch, Explanation, ExplainShapes } from "./explain.js";
export * from "./geometry.js";
export type {
  BackwardOptions,
  BackwardSolvers,
  ConvOptions,
  ForwardOptions,
  GradientOptions,
  Padding,
  PerAxis,
  SolverChoice,
  TransposedSize,
} from "./options.js";
export type { ConvProblem, Rank, Triple } from "./problem.js";
export type { PassedOver } from "./select.js";
export type { Direction } from "./operation.js";
export { Compiled, type Encoded } from "./recording.js";
export { Tensor } from "./tensor.js";
export { VERSION } from "./version.js";
export type { Candidate } from "./tuner/candidates.js";
export { indexedDbStore } from "./tuner/indexedDbStore.js";
export { memoryStore, type TuningData, type TuningEntry, type TuningStore } from "./tuner/store.js";
export type { Verdict } from "./tuner/trial.js";
export type { TuneMode, Tuning, TuningReport } from "./tuner/tuning.js";

/**
 * Makes an engine on this page's, worker's or Deno's GPU.
 *
 * @throws DeviceError with the remedy when there is no WebGPU, no adapter, or no device.
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const globals: Globals & { readonly navigator?: { readonly gpu?: GPU } } = globalThis;
  return await makeEngine(options, () => Promise.resolve(pagePlatform(globals, globals.navigator?.gpu)));
}
