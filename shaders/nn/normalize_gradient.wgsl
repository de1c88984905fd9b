// The gradient of what was normalised, with the activation's derivative in it (shaders/common/norm_terms.wgsl):
//
//   dx = deviation[set] * (weight[channel] * dz - (sums[set].x + normal * sums[set].y) / members)
//
// for deviation = 1 / sqrt(variance + eps); `sums` are those of weight * dz and of weight * dz * normal over the set,
// whose mean and variance depend on x. With EVALUATES they do not, and the first term is all. A thread takes WIDTH
// neighbouring elements, as in normalize.wgsl. Dispatch: ceil(elements / WIDTH / 64) workgroups, folded.
import package::common::epilogue::HAS_RESIDUAL;
import package::common::grid::workgroupIndex;
import package::common::norm_terms::{normTerm, statistics, weight};
import package::common::normalization::{channelOf, CHANNELS_LAST, HAS_WEIGHT, setOf};

// Condition VECTORS: four elements.
alias Values = f32; // @specialize

const THREADS: u32 = 64u;
const EVALUATES: bool = false; // @specialize
const WIDTH: u32 = 1u; // @specialize

struct Geometry {
  shape: vec4<u32>, // channels, positions, sets of a sample, channels of a set
  threads: u32, // elements / WIDTH
  members: f32, // of a set
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> x: array<Values>;
@group(0) @binding(2) var<storage, read> outputGradient: array<Values>;
@group(0) @binding(3) var<storage, read> residual: array<Values>;
@group(0) @binding(7) var<storage, read> sums: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> result: array<Values>;

fn vectorOf(values: Values) -> vec4<f32> {
  @if(VECTORS) return vec4<f32>(values);
  @else return vec4<f32>(f32(values));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let place = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (place >= geometry.threads) {
    return;
  }
  let offset = place * WIDTH;
  let firstChannel = channelOf(offset, geometry.shape);
  let values = vectorOf(x[place]);
  let gradients = vectorOf(outputGradient[place]);
  var added = vec4<f32>();
  if (HAS_RESIDUAL) {
    added = vectorOf(residual[place]);
  }
  var results = vec4<f32>();
  for (var i = 0u; i < WIDTH; i++) { // @unroll
    let channel = select(firstChannel, firstChannel + i, CHANNELS_LAST);
    let cell = setOf(offset, channel, geometry.shape);
    let term = normTerm(values[i], gradients[i], added[i], channel, cell);
    var gradient = term.gradient;
    if (HAS_WEIGHT) {
      gradient *= weight[channel];
    }
    if (!EVALUATES) {
      let sum = sums[cell];
      gradient -= (sum.x + term.normal * sum.y) / geometry.members;
    }
    results[i] = gradient * statistics[cell].y;
  }
  @if(VECTORS) result[place] = Values(results);
  @else result[place] = Values(results.x);
}
