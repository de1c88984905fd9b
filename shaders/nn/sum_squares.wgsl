// Sums of squares of up to eight tensors, in parts of 4,096 elements of one of them:
//
//   partials[firstPartial + group] = sum of x^2
//
// Dispatch: for each tensor ceil(elements / 4096) workgroups, one tensor after the other, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::slots::{beginOf, endedBefore};

const THREADS: u32 = 64u;
const PER_THREAD: u32 = 64u;

struct Geometry {
  // Of each tensor: the workgroup behind its last one, and elements.
  ends: vec4<u32>,
  moreEnds: vec4<u32>,
  sizes: vec4<u32>,
  moreSizes: vec4<u32>,
  firstPartial: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<storage, read> tensor0: array<Element>;
@group(0) @binding(3) var<storage, read> tensor1: array<Element>;
@group(0) @binding(4) var<storage, read> tensor2: array<Element>;
@group(0) @binding(5) var<storage, read> tensor3: array<Element>;
@group(0) @binding(6) var<storage, read> tensor4: array<Element>;
@group(0) @binding(7) var<storage, read> tensor5: array<Element>;
@group(0) @binding(8) var<storage, read> tensor6: array<Element>;
@group(0) @binding(9) var<storage, read> tensor7: array<Element>;

var<workgroup> sums: array<f32, THREADS>;

fn load(slot: u32, element: u32) -> f32 {
  switch slot {
    case 0u: {
      return f32(tensor0[element]);
    }
    case 1u: {
      return f32(tensor1[element]);
    }
    case 2u: {
      return f32(tensor2[element]);
    }
    case 3u: {
      return f32(tensor3[element]);
    }
    case 4u: {
      return f32(tensor4[element]);
    }
    case 5u: {
      return f32(tensor5[element]);
    }
    case 6u: {
      return f32(tensor6[element]);
    }
    default: {
      return f32(tensor7[element]);
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  let slot = endedBefore(group, geometry.ends) + endedBefore(group, geometry.moreEnds);
  if (slot > 7u) {
    return;
  }
  var begin = beginOf(slot, geometry.ends);
  var size = geometry.sizes[slot % 4u];
  if (slot > 3u) {
    begin = select(beginOf(slot - 4u, geometry.moreEnds), geometry.ends.w, slot == 4u);
    size = geometry.moreSizes[slot % 4u];
  }
  let first = (group - begin) * THREADS * PER_THREAD + thread;
  var sum = 0.0;
  for (var i = 0u; i < PER_THREAD; i++) {
    let element = first + i * THREADS;
    if (element < size) {
      let value = load(slot, element);
      sum += value * value;
    }
  }
  sums[thread] = sum;
  for (var other = THREADS / 2u; other > 0u; other /= 2u) {
    workgroupBarrier();
    if (thread < other) {
      sums[thread] += sums[thread + other];
    }
  }
  if (thread == 0u) {
    partials[geometry.firstPartial + group] = sums[0];
  }
}
