// Mean and variance of sets from those of their splits (norm_statistics.wgsl): statistics[set] = (mean,
// 1 / sqrt(variance + eps)), and running statistics with HAS_RUNNING.
//
// A workgroup a set: threads merge every 64th split, then a tree merges the threads'. The order is fixed.
// Dispatch: sets workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::moments::{mergedMoments, Moments, writeStatistics};
import package::common::set_walk::{firstOf, THREADS};

struct Geometry {
  extents: vec4<u32>, // of a walk through sets
  counts: vec3<u32>, // sets, members of a set, members of a split
  splits: u32,
  momentum: vec2<f32>, // of what was, of the new one
  eps: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(5) var<storage, read> partials: array<vec2<f32>>;

var<workgroup> moments: array<Moments, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let cell = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  let counts = geometry.counts;
  if (cell >= counts.x) {
    return;
  }
  var all = Moments(0.0, 0.0, 0.0);
  for (var split = thread; split < geometry.splits; split += THREADS) {
    let partial = partials[split * counts.x + cell];
    let count = min(counts.y, (split + 1u) * counts.z) - split * counts.z;
    all = mergedMoments(all, Moments(f32(count), partial.x, partial.y));
  }
  moments[thread] = all;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      moments[thread] = mergedMoments(moments[thread], moments[thread + half]);
    }
  }
  if (thread == 0u) {
    writeStatistics(cell, moments[0], f32(x[firstOf(cell, geometry.extents)]), geometry.eps, geometry.momentum);
  }
}
