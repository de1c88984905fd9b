// What an optimizer's step begins with: what follows from the gradients' norm, and the count of steps.
//
//   norm = |gradientScale| * norms[0]                              (vector_norm.wgsl; with NORM)
//   scale = gradientScale * min(1, limit / (norm + 1e-6))          (torch.nn.utils.clip_grad_norm_; with CLIP)
//   steps += 1, or where the norm is not finite and SKIP is set, skipped += 1
//   stepSize = rate / (1 - beta1^steps), root = sqrt(1 - beta2^steps), where 1 - beta^n = -expm1(n ln beta)
//
// Dispatch: one workgroup.
import package::common::functions::{expm1Down, isNaN};
import package::common::grid::workgroupIndex;
import package::common::progress::Progress;
import package::common::specials::isSpecial;

const NORM: bool = false; // @specialize
const CLIP: bool = false; // @specialize
const SKIP: bool = false; // @specialize

struct Geometry {
  limit: f32,
  // ln beta1 and ln beta2; at least -100.
  logBetas: vec2<f32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
// The learning rate, and what gradients are multiplied by: the host writes them.
@group(0) @binding(1) var<storage, read> rates: array<f32>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;
@group(0) @binding(3) var<storage, read_write> progress: array<Progress>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroupId: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
  if (workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) > 0u) {
    return;
  }
  var next = progress[0];
  next.norm = 0.0;
  next.scale = rates[1];
  next.isLeftOut = 0.0;
  if (NORM) {
    next.norm = abs(rates[1]) * norms[0];
    if (CLIP) {
      let ratio = geometry.limit / (next.norm + 1e-6);
      next.scale *= select(select(1.0, ratio, ratio < 1.0), next.norm, isNaN(next.norm));
    }
    if (SKIP) {
      next.isLeftOut = select(0.0, 1.0, isSpecial(next.norm, true));
    }
  }
  next.steps += 1.0 - next.isLeftOut;
  next.skipped += next.isLeftOut;
  next.rate = rates[0];
  next.stepSize = rates[0] / -expm1Down(next.steps * geometry.logBetas.x);
  next.root = sqrt(-expm1Down(next.steps * geometry.logBetas.y));
  progress[0] = next;
}
