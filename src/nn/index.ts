/**
 * `webgpu-conv/nn`: what a convolutional network needs around the engine to be trained.
 */

// Random numbers.
export { philox, type PhiloxCounter, type PhiloxKey } from "./philox.js";
export { Random, type RandomState } from "./random.js";

// Initial values of parameters.
export {
  biasUniform,
  fans,
  type Fans,
  glorotNormal,
  type GlorotOptions,
  glorotUniform,
  heNormal,
  type HeOptions,
  heUniform,
} from "./initialisers.js";

// Learning rates.
export {
  constantRate,
  cosineDecay,
  type CosineDecayOptions,
  inStages,
  type Schedule,
  type Stage,
  stepDecay,
  type StepDecayOptions,
  warmUp,
  type WarmUpOptions,
} from "./schedules.js";

// Optimizers.
export { accumulate, clipGradNorm, clipGradValue, gradientNorm, zeroGradients } from "./optimizers/gradients.js";
export { Optimizer, type OptimizerProgress } from "./optimizers/optimizer.js";
export { adam, adamw, sgd } from "./optimizers/optimizers.js";
export type { AdamOptions, OptimizerOptions, SgdOptions } from "./optimizers/options.js";
export type { OptimizerState } from "./optimizers/state.js";

// Gradients.
export { checkpoint } from "./tape/checkpoint.js";
export { type Backward, type Differentiable, differentiable } from "./tape/differentiable.js";
export { type GradientOptions, type GradientsOf, Tape, type Tensors } from "./tape/tape.js";

// Operations with weights.
export { linear, type LinearOptions } from "./operations/linear.js";

// Arithmetic.
export { activate } from "./operations/activate.js";
export { add, type AddOptions, type BroadcastOptions, div, mul, scale, sub } from "./operations/arithmetic.js";

// Losses, and how often a network is right.
export { accuracy } from "./operations/losses/accuracy.js";
export type { LossReduction } from "./operations/losses/classRows.js";
export {
  checkLabels,
  crossEntropy,
  type CrossEntropyOptions,
  type LabelOptions,
} from "./operations/losses/classification.js";
export {
  bceWithLogits,
  type BinaryCrossEntropyOptions,
  huberLoss,
  type HuberOptions,
  l1Loss,
  type LossOptions,
  mseLoss,
  smoothL1Loss,
  type SmoothL1Options,
} from "./operations/losses/elementwiseLoss.js";

// Dropout.
export { advanceDropout, dropout, type DropoutOptions, dropoutState } from "./operations/dropout/index.js";

// Reductions.
export { logSoftmax, softmax } from "./operations/softmax/index.js";
export { mean, sum, type SumOptions } from "./operations/sums.js";

// Operations.
export { concat, slice, split } from "./operations/concat.js";
export { fullLike } from "./operations/fill.js";
export { flatten, reshape } from "./operations/reshape.js";

// Normalisation.
export { batchNorm, type BatchNormOptions } from "./operations/batchNorm.js";
export { foldBatchNorm, type FoldedNorm, type FoldOptions } from "./operations/foldBatchNorm.js";
export {
  groupNorm,
  type GroupNormOptions,
  instanceNorm,
  type InstanceNormOptions,
  layerNorm,
  type LayerNormOptions,
} from "./operations/groupNorm.js";
export type { NormOptions } from "./operations/norm/runNorm.js";

// Pooling.
export { type AveragePoolOptions, avgPool1d, avgPool2d, avgPool3d } from "./operations/pooling/averagePool.js";
export { globalAveragePool, globalMaxPool, type GlobalPoolOptions } from "./operations/pooling/globalPool.js";
export { maxPool1d, maxPool2d, maxPool3d, type MaxPoolOptions } from "./operations/pooling/maxPool.js";
export type { PoolOptions } from "./operations/pooling/windows.js";

// Resizing.
export { interpolate, type InterpolateOptions, type InterpolationMode } from "./operations/resizing/interpolate.js";
export type { Coordinates, Rounding } from "./operations/resizing/sampling.js";

// Rearranging.
export { pad, type PadOptions } from "./operations/resizing/pad.js";
export { permute } from "./operations/permute.js";
export {
  type ChannelOrder,
  pixelShuffle,
  type PixelShuffleOptions,
  pixelUnshuffle,
} from "./operations/pixelShuffle.js";

// Data.
export type { ByteSource } from "../base/byteReader.js";
export { FileError } from "../base/fileError.js";
export {
  type Augmentation,
  horizontalFlip,
  jitter,
  type JitterOptions,
  randomCrop,
  type RandomCropOptions,
} from "./data/augment.js";
export type { Batch } from "./data/batch.js";
export { type CifarFiles, type CifarKind, cifarDataset } from "./data/cifar.js";
export type { Dataset, Sample, SampleShape } from "./data/dataset.js";
export { type GlyphOptions, glyphs } from "./data/glyphs.js";
export { type FileSource, idxDataset, type IdxFiles, type NamedSource } from "./data/idx.js";
export { DataLoader, type LoaderState } from "./data/loader.js";
export type { DataLoaderOptions, Normalisation } from "./data/loaderOptions.js";
export { type DecodedPicture, type Picture, type PictureOptions, pictureValues, readPicture } from "./data/pictures.js";
export type { GlyphSet } from "./data/strokes.js";

// Checkpoints.
export { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.js";

// Modules.
export * as layers from "./modules/index.js";
export { convNorm, type ConvNormOptions } from "./modules/convNorm.js";
export {
  defineModule,
  disposeModule,
  type Module,
  type ModuleParts,
  modulesOf,
  parametersOf,
  type PlacedModule,
  setFrozen,
  setTraining,
  stateOf,
} from "./modules/module.js";
export {
  loadState,
  type LoadStateOptions,
  readTensors,
  saveState,
  type StateDifferences,
  type StateTensors,
} from "./modules/state.js";

// Networks from files.
export { loadModel } from "./imported/loadModel.js";
export type { LoadedModel, LoadModelOptions } from "./imported/model.js";

// Forward passes for inputs of one size, recorded once.
export { compileForward, ForwardPass, type ForwardPassOptions, type ForwardResult } from "./recorded/compileForward.js";
export type { InputShapes } from "./recorded/inputs.js";

// Networks over pictures and volumes of any size.
export { runTiled } from "./tiled/runTiled.js";

// What a network is made of.
export {
  type ExplainedLayer,
  explainNetwork,
  type ExplainNetworkOptions,
  type NetworkExplanation,
} from "./explain/explainNetwork.js";
export type { TracedOperation } from "./explain/operationTrace.js";

// Training.
export { compileTraining, type TrainingOptions, TrainingStep } from "./training/compileTraining.js";
export { compileDataParallel, type DataParallelOptions, DataParallelStep } from "./training/dataParallel.js";
export { NonFiniteError } from "./training/diagnose.js";
export { exchangesBetween, type GradientExchange } from "./training/exchange.js";
export { findNonFinite, type NonFinite } from "./training/nonFinite.js";
export type { Metrics, StepMetrics, StepParts, Updates } from "./training/recordedStep.js";
