// Mean and variance of sets of a tensor's values: statistics[set] = (mean, 1 / sqrt(variance + eps)) where FINISHES,
// else statistics[split, set] = (mean, sum of squared deviations) of the set's members in the split, the mean relative
// to the set's first member.
//
// A thread takes BLOCK members at a time: their mean, their deviations from it, and the moments of all its blocks; a
// tree merges the threads'. The order is fixed. Sets and dispatch: shaders/common/set_walk.wgsl, one workgroup a task,
// folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::moments::{mergedMoments, Moments, statistics, writeStatistics};
import package::common::set_walk::{firstOf, LANES, REDUCERS, startWalk, stepWalk, THREADS};

const FINISHES: bool = false; // @specialize
const BLOCK: u32 = 8u;

struct Geometry {
  extents: vec4<u32>, // of a walk through sets
  counts: vec3<u32>, // sets, members of a set, members of a split
  tasks: u32,
  momentum: vec2<f32>, // of what was, of the new one
  eps: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> x: array<Element>;

var<workgroup> counts: array<f32, THREADS>;
var<workgroup> means: array<f32, THREADS>;
var<workgroup> squares: array<f32, THREADS>;

fn momentsAt(slot: u32) -> Moments {
  return Moments(counts[slot], means[slot], squares[slot]);
}

fn keepMoments(slot: u32, moments: Moments) {
  counts[slot] = moments.count;
  means[slot] = moments.mean;
  squares[slot] = moments.squares;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  var walk = startWalk(task, thread, geometry.extents, geometry.counts);
  let origin = f32(x[firstOf(min(walk.cell, geometry.counts.x - 1u), geometry.extents)]);
  var all = Moments(0.0, 0.0, 0.0);
  while (walk.left > 0u) {
    let count = min(BLOCK, walk.left);
    var shifted: array<f32, BLOCK>;
    var sum = 0.0;
    for (var i = 0u; i < BLOCK; i++) { // @unroll
      let inside = i < count;
      shifted[i] = select(0.0, f32(x[select(0u, walk.offset, inside)]) - origin, inside);
      sum += shifted[i];
      walk = stepWalk(walk, geometry.extents);
    }
    let mean = sum / f32(count);
    var deviations = 0.0;
    for (var i = 0u; i < BLOCK; i++) { // @unroll
      let deviation = select(0.0, shifted[i] - mean, i < count);
      deviations += deviation * deviation;
    }
    all = mergedMoments(all, Moments(f32(count), mean, deviations));
    walk.left -= count;
  }
  let lane = walk.cell % LANES;
  keepMoments(walk.reducer * LANES + lane, all);
  for (var half = REDUCERS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (walk.reducer < half) {
      let slot = walk.reducer * LANES + lane;
      keepMoments(slot, mergedMoments(momentsAt(slot), momentsAt(slot + half * LANES)));
    }
  }
  if ((walk.reducer > 0u) | (walk.cell >= geometry.counts.x)) {
    return;
  }
  let moments = momentsAt(lane);
  if (FINISHES) {
    writeStatistics(walk.cell, moments, origin, geometry.eps, geometry.momentum);
  } else {
    statistics[walk.split * geometry.counts.x + walk.cell] = vec2<f32>(moments.mean, moments.squares);
  }
}
