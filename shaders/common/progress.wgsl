// How far an optimizer is, and the numbers that its step takes. The device keeps them: a step that was recorded once
// goes on with each run.
struct Progress {
  // Steps that were done, and steps that were left out.
  steps: f32,
  skipped: f32,
  // The norm of all gradients, before they were clipped; 0 where nobody asks for it.
  norm: f32,
  // What gradients are multiplied by.
  scale: f32,
  // The learning rate; and divided by 1 - beta1^steps.
  rate: f32,
  stepSize: f32,
  // sqrt(1 - beta2^steps)
  root: f32,
  // 1 where this step is left out, else 0.
  isLeftOut: f32,
}
