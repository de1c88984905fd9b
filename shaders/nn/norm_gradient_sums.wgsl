// The sums that gradients of a normalisation need, for each cell: partials[split, cell] = (sum of dz, sum of dz *
// normal) over the cell's members in the split, where dz is dy before the activation and normal the normalised value.
// Terms have the channel's weight as a factor, too, with WEIGHTED. With WRITES_GRADIENT dz is written: it is the
// residual's gradient.
//
// Cells have one channel (FIXED_CHANNEL), lie in one set (FIXED_SET), or both. A thread sums BLOCK members at a time; a
// tree adds the threads' sums. The order is fixed.
// Cells and dispatch: shaders/common/set_walk.wgsl, one workgroup a task, folded.
import package::common::element::Element;
import package::common::epilogue::HAS_RESIDUAL;
import package::common::grid::workgroupIndex;
import package::common::norm_terms::{normTerm, weight};
import package::common::normalization::{channelOf, setOf};
import package::common::set_walk::{LANES, REDUCERS, startWalk, stepWalk, THREADS};

const FIXED_CHANNEL: bool = false; // @specialize
const FIXED_SET: bool = false; // @specialize
const WEIGHTED: bool = false; // @specialize
const WRITES_GRADIENT: bool = false; // @specialize
const BLOCK: u32 = 4u;

struct Geometry {
  extents: vec4<u32>, // of a walk through cells
  shape: vec4<u32>, // channels, positions, sets of a sample, channels of a set
  counts: vec3<u32>, // cells, members of a cell, members of a split
  tasks: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> outputGradient: array<Element>;
@group(0) @binding(3) var<storage, read> residual: array<Element>;
@group(0) @binding(7) var<storage, read_write> partials: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> residualGradient: array<Element>;

var<workgroup> sums: array<vec2<f32>, THREADS>;

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
  let shape = geometry.shape;
  var walk = startWalk(task, thread, geometry.extents, geometry.counts);
  let ownChannel = channelOf(walk.offset, shape);
  let ownSet = setOf(walk.offset, ownChannel, shape);
  var sum = vec2<f32>();
  while (walk.left > 0u) {
    let count = min(BLOCK, walk.left);
    var terms = vec2<f32>();
    for (var i = 0u; i < BLOCK; i++) { // @unroll
      let inside = i < count;
      let place = select(0u, walk.offset, inside);
      var channel = ownChannel;
      if (!FIXED_CHANNEL) {
        channel = channelOf(place, shape);
      }
      var cell = ownSet;
      if (!FIXED_SET) {
        cell = setOf(place, channel, shape);
      }
      var added = 0.0;
      if (HAS_RESIDUAL) {
        added = f32(residual[place]);
      }
      let term = normTerm(f32(x[place]), f32(outputGradient[place]), added, channel, cell);
      if (WRITES_GRADIENT) {
        if (inside) {
          residualGradient[place] = Element(term.gradient);
        }
      }
      var gradient = term.gradient;
      if (WEIGHTED) {
        gradient *= weight[channel];
      }
      terms += select(vec2<f32>(), vec2<f32>(gradient, gradient * term.normal), inside);
      walk = stepWalk(walk, geometry.extents);
    }
    sum += terms;
    walk.left -= count;
  }
  let lane = walk.cell % LANES;
  sums[walk.reducer * LANES + lane] = sum;
  for (var half = REDUCERS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (walk.reducer < half) {
      let slot = walk.reducer * LANES + lane;
      sums[slot] += sums[slot + half * LANES];
    }
  }
  if ((walk.reducer == 0u) & (walk.cell < geometry.counts.x)) {
    partials[walk.split * geometry.counts.x + walk.cell] = sums[lane];
  }
}
