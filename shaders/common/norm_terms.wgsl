// What gradients of a normalisation are made of: dy before the fused activation, whose derivative is taken from what
// the forward pass applied it to, computed once more, and the normalised value.
import package::common::epilogue::{
  activate, activationDerivative, ACTIVATION, HAS_BIAS, HAS_RESIDUAL, NONE
};
import package::common::normalization::{HAS_WEIGHT, normalized};

// The derivative is taken from the activation's result.
const FROM_OUTPUT: bool = false; // @specialize

@group(0) @binding(4) var<storage, read> statistics: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> weight: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;

struct NormTerm {
  gradient: f32,
  normal: f32,
}

fn normTerm(value: f32, gradient: f32, residual: f32, channel: u32, cell: u32) -> NormTerm {
  let normal = normalized(value, statistics[cell]);
  if (ACTIVATION == NONE) {
    return NormTerm(gradient, normal);
  }
  var before = normal;
  if (HAS_WEIGHT) {
    before *= weight[channel];
  }
  if (HAS_BIAS) {
    before += bias[channel];
  }
  if (HAS_RESIDUAL) {
    before += residual;
  }
  var source = before;
  if (FROM_OUTPUT) {
    source = activate(before);
  }
  return NormTerm(gradient * activationDerivative(source, 0.0), normal);
}
