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
