/** Layers: modules with parameters of their own, and those without. */
export {
  conv1d,
  conv2d,
  conv3d,
  type ConvLayerOptions,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  type TransposedLayerOptions,
} from "./convolutions.js";
export type { Init } from "./layer.js";
export { sequential } from "./sequential.js";
export { linear, type LinearLayerOptions } from "./linear.js";
export { activation, averagePool, flatten, globalPool, maxPool, relu, upsample } from "./plain.js";
export { batchNorm, type BatchNormLayerOptions, groupNorm, type NormLayerOptions } from "./norms.js";
