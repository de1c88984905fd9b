// Normalisation by the statistics of sets that a workgroup holds whole: x is read once and kept in registers.
//
//   result = activation((x - mean[set]) / sqrt(variance[set] + eps) * weight[channel] + bias[channel] + residual)
//   statistics[set] = (mean, 1 / sqrt(variance + eps)), and running ones with HAS_RUNNING
//
// Values are kept relative to the set's first member, and the variance is that of deviations from the mean, so that
// what is large beside its deviations does not cancel. Sets and threads: shaders/common/set_tile.wgsl.
// Dispatch: ceil(samples / SAMPLE_LANES) * ceil(sets of a sample / SETS_BESIDE) workgroups, folded.
import package::common::epilogue::{activate, HAS_BIAS, HAS_RESIDUAL};
import package::common::grid::workgroupIndex;
import package::common::moments::{Moments, writeStatistics};
import package::common::normalization::{CHANNELS_LAST, HAS_WEIGHT, invertedDeviation};
import package::common::set_tile::{
  GATHERERS, groupTilesOf, KEPT, KEPT_CHANNELS, KEPT_POSITIONS, POSITION_LANES, SAMPLE_LANES, SET_THREADS, SPAN,
  sumAmong, Sums, threadOf, THREADS, unitAt
};

// A unit as it is stored, and in float32. Condition VECTORS: four elements.
alias Values = f32; // @specialize
alias Numbers = f32; // @specialize

const WIDTH: u32 = 1u; // @specialize

struct Geometry {
  extents: vec4<u32>, // samples, sets of a sample, units of a set along channels, along positions
  row: vec2<u32>, // units
  momentum: vec2<f32>, // of what was, of the new one
  tasks: u32,
  members: f32, // of a set
  eps: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> x: array<Values>;
@group(0) @binding(5) var<storage, read> weight: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<Values>;
@group(0) @binding(8) var<storage, read_write> result: array<Values>;

fn totalOf(numbers: Numbers) -> f32 {
  @if(VECTORS) return (numbers.x + numbers.y) + (numbers.z + numbers.w);
  @else return numbers;
}

// Of sums alike. Condition SCALAR_SUMS: they are but one.
fn oneOf(sums: Sums) -> f32 {
  @if(SCALAR_SUMS) return sums;
  @else return sums.x;
}

fn firstPart(numbers: Numbers) -> f32 {
  @if(VECTORS) return numbers.x;
  @else return numbers;
}

fn weightAt(channel: u32) -> Numbers {
  @if(VECTORS) {
    if (CHANNELS_LAST) {
      return vec4<f32>(weight[channel], weight[channel + 1u], weight[channel + 2u], weight[channel + 3u]);
    }
  }
  return Numbers(weight[channel]);
}

fn biasAt(channel: u32) -> Numbers {
  @if(VECTORS) {
    if (CHANNELS_LAST) {
      return vec4<f32>(bias[channel], bias[channel + 1u], bias[channel + 2u], bias[channel + 3u]);
    }
  }
  return Numbers(bias[channel]);
}

fn activated(numbers: Numbers) -> Numbers {
  @if(VECTORS) return vec4<f32>(activate(numbers.x), activate(numbers.y), activate(numbers.z), activate(numbers.w));
  @else return activate(numbers);
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
  let extents = geometry.extents;
  let row = geometry.row;
  let groupTiles = groupTilesOf(extents);
  let own = threadOf(thread, task % groupTiles);
  let sample = (task / groupTiles) * SAMPLE_LANES + own.sampleLane;
  let isThere = (sample < extents.x) & (own.group < extents.y);
  let origin = firstPart(Numbers(x[select(0u, unitAt(sample, own.group, 0u, 0u, extents, row), isThere)]));
  var kept: array<Numbers, KEPT>;
  var sum = 0.0;
  for (var i = 0u; i < KEPT_CHANNELS; i++) { // @unroll
    let channel = own.channel + i * SPAN;
    for (var j = 0u; j < KEPT_POSITIONS; j++) { // @unroll
      let position = own.positionLane + j * POSITION_LANES;
      let inside = isThere & (channel < extents.z) & (position < extents.w);
      let place = select(0u, unitAt(sample, own.group, channel, position, extents, row), inside);
      kept[i * KEPT_POSITIONS + j] = Numbers(x[place]) - origin;
      sum += select(0.0, totalOf(kept[i * KEPT_POSITIONS + j]), inside);
    }
  }
  let mean = oneOf(sumAmong(Sums(sum), own.place, own.base, SET_THREADS, GATHERERS)) / geometry.members;
  var squares = 0.0;
  for (var i = 0u; i < KEPT_CHANNELS; i++) { // @unroll
    let channel = own.channel + i * SPAN;
    for (var j = 0u; j < KEPT_POSITIONS; j++) { // @unroll
      let position = own.positionLane + j * POSITION_LANES;
      let inside = isThere & (channel < extents.z) & (position < extents.w);
      let deviations = kept[i * KEPT_POSITIONS + j] - mean;
      squares += select(0.0, totalOf(deviations * deviations), inside);
    }
  }
  let allSquares = oneOf(sumAmong(Sums(squares), own.place, own.base, SET_THREADS, GATHERERS));
  if (isThere & (own.place == 0u)) {
    let moments = Moments(geometry.members, mean, allSquares);
    writeStatistics(sample * extents.y + own.group, moments, origin, geometry.eps, geometry.momentum);
  }
  let inverse = invertedDeviation(allSquares / geometry.members, geometry.eps);
  for (var i = 0u; i < KEPT_CHANNELS; i++) { // @unroll
    let channel = own.channel + i * SPAN;
    let firstChannel = (own.group * extents.z + channel) * select(1u, WIDTH, CHANNELS_LAST);
    for (var j = 0u; j < KEPT_POSITIONS; j++) { // @unroll
      let position = own.positionLane + j * POSITION_LANES;
      if (isThere & (channel < extents.z) & (position < extents.w)) {
        let place = unitAt(sample, own.group, channel, position, extents, row);
        var values = (kept[i * KEPT_POSITIONS + j] - mean) * inverse;
        if (HAS_WEIGHT) {
          values *= weightAt(firstChannel);
        }
        if (HAS_BIAS) {
          values += biasAt(firstChannel);
        }
        if (HAS_RESIDUAL) {
          values += Numbers(residual[place]);
        }
        result[place] = Values(activated(values));
      }
    }
  }
}
