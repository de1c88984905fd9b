// What is fused into a pass: bias, residual and activation at its end; relu's derivative at its start.
//
// NaN stays NaN in all of it, though WGSL's min, max and clamp may drop it: an activation of NaN is NaN, and a gradient
// is NaN where dy or what the derivative is taken from is.
import package::common::functions::{expDown, expm1Down, isNaN, log1pUnit, logistic, normalCdf, tanhOf};

const HAS_BIAS: bool = false; // @specialize
const HAS_RESIDUAL: bool = false; // @specialize
const ACTIVATION: u32 = 0u; // @specialize
// leaky relu: negativeSlope; elu: alpha; softplus: beta, threshold; clamp: min, max; prelu: how many slopes there are.
const FIRST_PARAMETER: f32 = 0.0; // @specialize
const SECOND_PARAMETER: f32 = 0.0; // @specialize
const MASKED: bool = false; // @specialize

const NONE: u32 = 0u;
const RELU: u32 = 1u;
const LEAKY_RELU: u32 = 2u;
const RELU6: u32 = 3u;
const SIGMOID: u32 = 4u;
const TANH: u32 = 5u;
const GELU: u32 = 6u;
const HARD_SWISH: u32 = 7u;
const SILU: u32 = 8u;
const ELU: u32 = 9u;
const HARD_SIGMOID: u32 = 10u;
const SOFTPLUS: u32 = 11u;
const CLAMP: u32 = 12u;
const PRELU: u32 = 13u;

// As an integer. Those above are the bits of what is positive, and of every NaN.
const MINUS_INFINITY: i32 = -0x800000;
// A clamp's bound where there is none.
const LARGEST: f32 = 3.4028234663852886e38;
// From here on exp(-x) is 0: what multiplies it must not be infinite.
const FAR: f32 = 88.0;

// Condition FORMULA: the activation is none of none, relu and prelu. Its text is loaded only then.
fn activate(value: f32) -> f32 {
  @if(FORMULA) return select(activateNumber(value), value, isNaN(value));
  @else return rectify(value);
}

fn rectify(value: f32) -> f32 {
  if (ACTIVATION == RELU) {
    return select(0.0, value, bitcast<i32>(value) > MINUS_INFINITY);
  }
  return value;
}

fn activateNumber(value: f32) -> f32 {
  if (ACTIVATION == LEAKY_RELU) {
    return select(value * FIRST_PARAMETER, value, value > 0.0);
  }
  if (ACTIVATION == RELU6) {
    return clamp(value, 0.0, 6.0);
  }
  if (ACTIVATION == CLAMP) {
    let low = select(max(value, FIRST_PARAMETER), value, FIRST_PARAMETER == -LARGEST);
    return select(min(low, SECOND_PARAMETER), low, SECOND_PARAMETER == LARGEST);
  }
  if (ACTIVATION == SIGMOID) {
    return logistic(value);
  }
  if (ACTIVATION == HARD_SIGMOID) {
    return clamp(value + 3.0, 0.0, 6.0) / 6.0;
  }
  if (ACTIVATION == TANH) {
    return tanhOf(value);
  }
  if (ACTIVATION == GELU) {
    return max(value, -FAR) * normalCdf(value);
  }
  if (ACTIVATION == SILU) {
    return max(value, -FAR) * logistic(value);
  }
  if (ACTIVATION == HARD_SWISH) {
    return max(value, -3.0) * (clamp(value + 3.0, 0.0, 6.0) / 6.0);
  }
  if (ACTIVATION == ELU) {
    return select(FIRST_PARAMETER * expm1Down(min(value, 0.0)), value, value > 0.0);
  }
  if (ACTIVATION == SOFTPLUS) {
    let scaled = FIRST_PARAMETER * value;
    let soft = (max(scaled, 0.0) + log1pUnit(expDown(-abs(scaled)))) / FIRST_PARAMETER;
    return select(soft, value, scaled > SECOND_PARAMETER);
  }
  return value;
}

fn activateVector(values: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(activate(values.x), activate(values.y), activate(values.z), activate(values.w));
}

// Where a channel's slope lies among a prelu's.
fn slopeIndex(channel: u32) -> u32 {
  return select(0u, channel, FIRST_PARAMETER > 1.0);
}

// Derivative of the activation, from its own output or from the value that it was applied to: derivativeSource in
// src/problem/activation.ts says which. `slope` is a prelu's.
fn activationDerivative(value: f32, slope: f32) -> f32 {
  if (ACTIVATION == NONE) {
    return 1.0;
  }
  return select(derivativeAt(value, slope), value, isNaN(value));
}

fn derivativeAt(value: f32, slope: f32) -> f32 {
  if (ACTIVATION == RELU) {
    return select(0.0, 1.0, value > 0.0);
  }
  if (ACTIVATION == LEAKY_RELU) {
    return select(FIRST_PARAMETER, 1.0, value > 0.0);
  }
  if (ACTIVATION == PRELU) {
    return select(slope, 1.0, value > 0.0);
  }
  if (ACTIVATION == RELU6) {
    return select(0.0, 1.0, (value > 0.0) & (value < 6.0));
  }
  if (ACTIVATION == CLAMP) {
    let above = (value > FIRST_PARAMETER) | (FIRST_PARAMETER == -LARGEST);
    let below = (value < SECOND_PARAMETER) | (SECOND_PARAMETER == LARGEST);
    return select(0.0, 1.0, above & below);
  }
  if (ACTIVATION == SIGMOID) {
    return value * (1.0 - value);
  }
  if (ACTIVATION == HARD_SIGMOID) {
    return select(0.0, 1.0 / 6.0, (value > 0.0) & (value < 1.0));
  }
  if (ACTIVATION == TANH) {
    return 1.0 - value * value;
  }
  if (ACTIVATION == GELU) {
    let near = clamp(value, -FAR, FAR);
    return normalCdf(value) + near * expDown(-0.5 * near * near) * 0.3989422804014327;
  }
  if (ACTIVATION == SILU) {
    return logistic(value) * (1.0 + clamp(value, -FAR, FAR) * logistic(-value));
  }
  if (ACTIVATION == HARD_SWISH) {
    return select(select((2.0 * value + 3.0) / 6.0, 1.0, value >= 3.0), 0.0, value <= -3.0);
  }
  if (ACTIVATION == ELU) {
    let falling = select(value + FIRST_PARAMETER, FIRST_PARAMETER * expDown(min(value, 0.0)), FIRST_PARAMETER < 0.0);
    return select(falling, 1.0, value > 0.0);
  }
  if (ACTIVATION == SOFTPLUS) {
    let scaled = FIRST_PARAMETER * value;
    return select(logistic(scaled), 1.0, scaled > SECOND_PARAMETER);
  }
  return 1.0;
}

// The term of a prelu's slope gradient: dy * min(value, 0), NaN where either is.
fn slopeTerm(gradient: f32, value: f32) -> f32 {
  return gradient * select(value, 0.0, value > 0.0);
}

// dy before a relu, from dy after it and the relu's output: the sum is 0 below 0, and NaN for NaN.
fn maskGradient(gradient: f32, after: f32) -> f32 {
  return gradient * select(abs(after) + after, 1.0, after > 0.0);
}

fn maskGradients(gradients: vec4<f32>, after: vec4<f32>) -> vec4<f32> {
  return gradients * select(abs(after) + after, vec4<f32>(1.0), after > vec4<f32>(0.0));
}
