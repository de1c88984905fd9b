/**
 * `webgpu-conv/nn`: what a convolutional network needs around the engine to be trained.
 */

// Random numbers.
export { philox, type PhiloxCounter, type PhiloxKey } from "./philox.js";
export { Random, type RandomState } from "./random.js";
