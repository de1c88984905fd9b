// What is fused into a pass: bias, residual and activation at its end; relu's derivative at its start.

const HAS_BIAS: bool = false; // @specialize
const HAS_RESIDUAL: bool = false; // @specialize
const ACTIVATION: u32 = 0u; // @specialize
const NEGATIVE_SLOPE: f32 = 0.01; // @specialize
const MASKED: bool = false; // @specialize

const RELU: u32 = 1u;
const LEAKY_RELU: u32 = 2u;
const RELU6: u32 = 3u;
const SIGMOID: u32 = 4u;
const TANH: u32 = 5u;
const GELU: u32 = 6u;
const HARD_SWISH: u32 = 7u;

// tanh overflows on some devices; beyond this it is 1 to the last bit.
const TANH_LIMIT: f32 = 10.0;

fn activate(value: f32) -> f32 {
  if (ACTIVATION == RELU) {
    return max(value, 0.0);
  }
  if (ACTIVATION == LEAKY_RELU) {
    return select(value * NEGATIVE_SLOPE, value, value > 0.0);
  }
  if (ACTIVATION == RELU6) {
    return clamp(value, 0.0, 6.0);
  }
  if (ACTIVATION == SIGMOID) {
    return 1.0 / (1.0 + exp(-value));
  }
  if (ACTIVATION == TANH) {
    return tanh(clamp(value, -TANH_LIMIT, TANH_LIMIT));
  }
  if (ACTIVATION == GELU) {
    return value * normalCdf(value);
  }
  if (ACTIVATION == HARD_SWISH) {
    return value * clamp(value + 3.0, 0.0, 6.0) / 6.0;
  }
  return value;
}

fn activateVector(values: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(activate(values.x), activate(values.y), activate(values.z), activate(values.w));
}

// Derivative of the activation. relu, leaky relu, relu6, sigmoid and tanh take it from their own output;
// gelu and hard-swish from the value that they were applied to.
fn activationDerivative(value: f32) -> f32 {
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
    let density = exp(-0.5 * value * value) * 0.3989422804014327;
    return normalCdf(value) + value * density;
  }
  if (ACTIVATION == HARD_SWISH) {
    return select(select((2.0 * value + 3.0) / 6.0, 1.0, value >= 3.0), 0.0, value <= -3.0);
  }
  return 1.0;
}

// Cumulative normal distribution through erfc: Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7.
fn normalCdf(value: f32) -> f32 {
  let x = abs(value) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.3275911 * x);
  let series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let tail = 0.5 * series * exp(-x * x);
  return select(tail, 1.0 - tail, value > 0.0);
}

// dy before a relu, from dy after it and the relu's output.
fn maskGradient(gradient: f32, activated: f32) -> f32 {
  return select(0.0, gradient, activated > 0.0);
}
