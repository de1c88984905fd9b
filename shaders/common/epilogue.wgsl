// What is fused into a pass: bias and activation at its end, or the activation's derivative at its start.

const HAS_BIAS: bool = false; // @specialize
const ACTIVATION: u32 = 0u; // @specialize
const MASKED: bool = false; // @specialize

const ACTIVATION_RELU: u32 = 1u;

fn activate(value: f32) -> f32 {
  if (ACTIVATION == ACTIVATION_RELU) {
    return max(value, 0.0);
  }
  return value;
}

// dy before the activation, from dy after it and the activation's own output.
fn activationGradient(gradient: f32, activated: f32) -> f32 {
  return select(0.0, gradient, activated > 0.0);
}
