// Normalisation, with what is fused into it, in one read and one write:
//
//   result = activation((x - mean[set]) / sqrt(variance[set] + eps) * weight[channel] + bias[channel] + residual)
//
// Statistics are those of the sets (norm_statistics.wgsl); with RUNNING they are made from the running mean and
// variance of each channel. A thread takes WIDTH neighbouring elements: of one channel and set, or, where channels
// come last, of neighbouring channels of a sample. Dispatch: ceil(elements / WIDTH / 64) workgroups, folded.
import package::common::epilogue::{activate, HAS_BIAS, HAS_RESIDUAL};
import package::common::grid::workgroupIndex;
import package::common::normalization::{
  channelOf, CHANNELS_LAST, HAS_WEIGHT, invertedDeviation, normalized, setOf
};

// Condition VECTORS: four elements.
alias Values = f32; // @specialize

const THREADS: u32 = 64u;
const RUNNING: bool = false; // @specialize
const WIDTH: u32 = 1u; // @specialize

struct Geometry {
  shape: vec4<u32>, // channels, positions, sets of a sample, channels of a set
  threads: u32, // elements / WIDTH
  eps: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> x: array<Values>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<Values>;
@group(0) @binding(6) var<storage, read> runningMean: array<f32>;
@group(0) @binding(7) var<storage, read> runningVariance: array<f32>;
@group(0) @binding(8) var<storage, read_write> result: array<Values>;

fn vectorOf(values: Values) -> vec4<f32> {
  @if(VECTORS) return vec4<f32>(values);
  @else return vec4<f32>(f32(values));
}

fn statisticsOf(offset: u32, channel: u32) -> vec2<f32> {
  if (RUNNING) {
    return vec2<f32>(runningMean[channel], invertedDeviation(runningVariance[channel], geometry.eps));
  }
  return statistics[setOf(offset, channel, geometry.shape)];
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
  var added = vec4<f32>();
  if (HAS_RESIDUAL) {
    added = vectorOf(residual[place]);
  }
  var results = vec4<f32>();
  for (var i = 0u; i < WIDTH; i++) { // @unroll
    let channel = select(firstChannel, firstChannel + i, CHANNELS_LAST);
    var value = normalized(values[i], statisticsOf(offset, channel));
    if (HAS_WEIGHT) {
      value *= weight[channel];
    }
    if (HAS_BIAS) {
      value += bias[channel];
    }
    if (HAS_RESIDUAL) {
      value += added[i];
    }
    results[i] = activate(value);
  }
  @if(VECTORS) result[place] = Values(results);
  @else result[place] = Values(results.x);
}
