// Changes each element of up to four tensors in place:
//
//   x *= min(1, limit / (norm + 1e-6))      (torch.nn.utils.clip_grad_norm_)
//   x = min(max(x, -limit), limit)          with CLAMP (torch.nn.utils.clip_grad_value_); NaN stays
//   x = 0                                   with CLEAR
//
// Dispatch: for each tensor ceil(elements / 256) workgroups, one tensor after the other, folded.
import package::common::element::Element;
import package::common::functions::isNaN;
import package::common::grid::workgroupIndex;
import package::common::slots::{beginOf, endedBefore};

const THREADS: u32 = 64u;
const PER_THREAD: u32 = 4u;
const CLAMP: bool = false; // @specialize
const CLEAR: bool = false; // @specialize

struct Geometry {
  // Of each tensor: the workgroup behind its last one, and elements.
  ends: vec4<u32>,
  sizes: vec4<u32>,
  limit: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> norms: array<f32>;
@group(0) @binding(2) var<storage, read_write> tensor0: array<Element>;
@group(0) @binding(3) var<storage, read_write> tensor1: array<Element>;
@group(0) @binding(4) var<storage, read_write> tensor2: array<Element>;
@group(0) @binding(5) var<storage, read_write> tensor3: array<Element>;

fn adjusted(old: Element) -> Element {
  if (CLEAR) {
    return Element(0.0);
  }
  let value = f32(old);
  if (CLAMP) {
    return Element(select(clamp(value, -geometry.limit, geometry.limit), value, isNaN(value)));
  }
  let norm = norms[0];
  let ratio = geometry.limit / (norm + 1e-6);
  return Element(value * select(select(1.0, ratio, ratio < 1.0), norm, isNaN(norm)));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  let slot = endedBefore(group, geometry.ends);
  if (slot > 3u) {
    return;
  }
  let first = (group - beginOf(slot, geometry.ends)) * THREADS * PER_THREAD + thread;
  for (var i = 0u; i < PER_THREAD; i++) {
    let element = first + i * THREADS;
    if (element < geometry.sizes[slot]) {
      switch slot {
        case 0u: {
          tensor0[element] = adjusted(tensor0[element]);
        }
        case 1u: {
          tensor1[element] = adjusted(tensor1[element]);
        }
        case 2u: {
          tensor2[element] = adjusted(tensor2[element]);
        }
        default: {
          tensor3[element] = adjusted(tensor3[element]);
        }
      }
    }
  }
}
