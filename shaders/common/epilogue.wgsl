// What is fused into a pass: bias, residual and activation at its end; relu's derivative at its start.
//
// NaN stays NaN in all of it, though WGSL's min, max and clamp may drop it: an activation of NaN is NaN, and a gradient is
// NaN where dy or what the derivative is taken from is.
import package::common::functions::{expDown, isNaN, logistic, normalCdf, tanhOf};

const HAS_BIAS: bool = false; // @specialize
const HAS_RESIDUAL: bool = false; // @specialize
const ACTIVATION: u32 = 0u; // @specialize
const NEGATIVE_SLOPE: f32 = 0.01; // @specialize
const MASKED: bool = false; // @specialize

const NONE: u32 = 0u;
const RELU: u32 = 1u;
const LEAKY_RELU: u32 = 2u;
const RELU6: u32 = 3u;
const SIGMOID: u32 = 4u;
const TANH: u32 = 5u;
const GELU: u32 = 6u;
const HARD_SWISH: u32 = 7u;

// As an integer. Those above are the bits of what is positive, and of every NaN.
const MINUS_INFINITY: i32 = -0x800000;
// From here on gelu's normal distribution is 0 or 1, and its density 0: what multiplies them must not be infinite.
const FAR: f32 = 64.0;

fn activate(value: f32) -> f32 {
  if (ACTIVATION == NONE) {
    return value;
  }
  if (ACTIVATION == RELU) {
    return select(0.0, value, bitcast<i32>(value) > MINUS_INFINITY);
  }
  return select(activateNumber(value), value, isNaN(value));
}

fn activateNumber(value: f32) -> f32 {
  if (ACTIVATION == LEAKY_RELU) {
    return select(value * NEGATIVE_SLOPE, value, value > 0.0);
  }
  if (ACTIVATION == RELU6) {
    return clamp(value, 0.0, 6.0);
  }
  if (ACTIVATION == SIGMOID) {
    return logistic(value);
  }
  if (ACTIVATION == TANH) {
    return tanhOf(value);
  }
  if (ACTIVATION == GELU) {
    return max(value, -FAR) * normalCdf(value);
  }
  if (ACTIVATION == HARD_SWISH) {
    return max(value, -3.0) * (clamp(value + 3.0, 0.0, 6.0) / 6.0);
  }
  return value;
}

fn activateVector(values: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(activate(values.x), activate(values.y), activate(values.z), activate(values.w));
}

// Derivative of the activation. relu, leaky relu, relu6, sigmoid and tanh take it from their own output;
// gelu and hard-swish from the value that they were applied to.
fn activationDerivative(value: f32) -> f32 {
  if (ACTIVATION == NONE) {
    return 1.0;
  }
  return select(derivativeAt(value), value, isNaN(value));
}

fn derivativeAt(value: f32) -> f32 {
  if (ACTIVATION == RELU) {
    return select(0.0, 1.0, value > 0.0);
  }
  if (ACTIVATION == LEAKY_RELU) {
    return select(NEGATIVE_SLOPE, 1.0, value > 0.0);
  }
  if (ACTIVATION == RELU6) {
    return select(0.0, 1.0, (value > 0.0) & (value < 6.0));
  }
  if (ACTIVATION == SIGMOID) {
    return value * (1.0 - value);
  }
  if (ACTIVATION == TANH) {
    return 1.0 - value * value;
  }
  if (ACTIVATION == GELU) {
    let near = clamp(value, -FAR, FAR);
    return normalCdf(value) + near * expDown(-0.5 * near * near) * 0.3989422804014327;
  }
  if (ACTIVATION == HARD_SWISH) {
    return select(select((2.0 * value + 3.0) / 6.0, 1.0, value >= 3.0), 0.0, value <= -3.0);
  }
  return 1.0;
}

// dy before a relu, from dy after it and the relu's output: the sum is 0 below 0, and NaN for NaN.
fn maskGradient(gradient: f32, activated: f32) -> f32 {
  return gradient * select(abs(activated) + activated, 1.0, activated > 0.0);
}

fn maskGradients(gradients: vec4<f32>, activated: vec4<f32>) -> vec4<f32> {
  return gradients * select(abs(activated) + activated, vec4<f32>(1.0), activated > vec4<f32>(0.0));
}
