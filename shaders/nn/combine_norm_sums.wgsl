// Adds up the sums of cells and splits (norm_gradient_sums.wgsl):
//
//   total[r] = sum over terms t and splits s of partials[s, r * resultStep + t * termStep]
//
// WRITES_SUMS: sums[r] is that, of terms times the weight of their channel with HAS_WEIGHT: those of a set's channels.
// WRITES_WEIGHT, WRITES_BIAS: its two parts are the gradients of a channel's weight (the second) and bias.
// A workgroup a result: threads add every 64th term, then a tree adds the threads'. The order is fixed.
// Dispatch: results workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::normalization::HAS_WEIGHT;

const THREADS: u32 = 64u;
const WRITES_SUMS: bool = false; // @specialize
const WRITES_WEIGHT: bool = false; // @specialize
const WRITES_BIAS: bool = false; // @specialize

struct Geometry {
  results: u32,
  resultStep: u32, // in cells
  terms: u32,
  termStep: u32,
  splits: u32,
  cells: u32,
  channels: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> partials: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> weightGradient: array<f32>;
@group(0) @binding(5) var<storage, read_write> biasGradient: array<f32>;

// Plain, then weighted.
var<workgroup> totals: array<vec4<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (index >= geometry.results) {
    return;
  }
  var total = vec4<f32>();
  for (var i = thread; i < geometry.terms * geometry.splits; i += THREADS) {
    let cell = index * geometry.resultStep + (i % geometry.terms) * geometry.termStep;
    let term = partials[(i / geometry.terms) * geometry.cells + cell];
    var factor = 1.0;
    if (HAS_WEIGHT) {
      factor = weight[cell % geometry.channels];
    }
    total += vec4<f32>(term, factor * term);
  }
  totals[thread] = total;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      totals[thread] += totals[thread + half];
    }
  }
  if (thread > 0u) {
    return;
  }
  if (WRITES_SUMS) {
    sums[index] = totals[0].zw;
  }
  if (WRITES_WEIGHT) {
    weightGradient[index] = totals[0].y;
  }
  if (WRITES_BIAS) {
    biasGradient[index] = totals[0].x;
  }
}
