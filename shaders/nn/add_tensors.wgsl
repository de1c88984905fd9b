// Adds up to four tensors to four others in place: sum += term.
//
// Dispatch: for each pair ceil(elements / 256) workgroups, one pair after the other, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::slots::{beginOf, endedBefore};

const THREADS: u32 = 64u;
const PER_THREAD: u32 = 4u;

struct Geometry {
  // Of each pair: the workgroup behind its last one, and elements.
  ends: vec4<u32>,
  sizes: vec4<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read_write> sum0: array<Element>;
@group(0) @binding(2) var<storage, read_write> sum1: array<Element>;
@group(0) @binding(3) var<storage, read_write> sum2: array<Element>;
@group(0) @binding(4) var<storage, read_write> sum3: array<Element>;
@group(0) @binding(5) var<storage, read> term0: array<Element>;
@group(0) @binding(6) var<storage, read> term1: array<Element>;
@group(0) @binding(7) var<storage, read> term2: array<Element>;
@group(0) @binding(8) var<storage, read> term3: array<Element>;

fn total(a: Element, b: Element) -> Element {
  return Element(f32(a) + f32(b));
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
          sum0[element] = total(sum0[element], term0[element]);
        }
        case 1u: {
          sum1[element] = total(sum1[element], term1[element]);
        }
        case 2u: {
          sum2[element] = total(sum2[element], term2[element]);
        }
        default: {
          sum3[element] = total(sum3[element], term3[element]);
        }
      }
    }
  }
}
