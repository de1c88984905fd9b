// Gradients of a normalisation whose sets a workgroup holds whole: x and dy are read once and kept in registers.
//
//   dx = deviation[set] * (weight[channel] * dz - (sums.x + normal * sums.y) / members)
//
// for deviation = 1 / sqrt(variance + eps), dz = dy before the activation and normal the normalised value
// (shaders/common/norm_terms.wgsl); the sums are those of weight * dz and of weight * dz * normal over the set. With
// WRITES_GRADIENT dz is written: it is the residual's gradient. With SUMS_CHANNELS partials[part, channel] = (sum of
// dz, sum of dz * normal) over the samples of a part, which a workgroup takes one after the other.
//
// Sets and threads: shaders/common/set_tile.wgsl. Dispatch: parts * ceil(sets of a sample / SETS_BESIDE) workgroups,
// folded.
import package::common::epilogue::HAS_RESIDUAL;
import package::common::grid::workgroupIndex;
import package::common::norm_terms::{normTerm, statistics, weight};
import package::common::normalization::{CHANNELS_LAST, HAS_WEIGHT};
import package::common::set_tile::{
  GATHERERS, groupTilesOf, KEPT, KEPT_CHANNELS, KEPT_POSITIONS, POSITION_LANES, SAMPLE_LANES,
  SET_THREADS, SPAN, sumAmong, threadOf, THREADS, unitAt
};

// A unit as it is stored, and in float32. Condition VECTORS: four elements.
alias Values = f32; // @specialize
alias Numbers = f32; // @specialize

const WRITES_GRADIENT: bool = false; // @specialize
const SUMS_CHANNELS: bool = false; // @specialize
// About the square root of a channel's threads.
const CHANNEL_GATHERERS: u32 = 8u; // @specialize
// Channels of a unit.
const UNIT_CHANNELS: u32 = 1u; // @specialize
const CHANNEL_THREADS: u32 = POSITION_LANES * SAMPLE_LANES;

struct Geometry {
  extents: vec4<u32>, // samples, sets of a sample, units of a set along channels, along positions
  row: vec2<u32>, // units
  tasks: u32,
  sampleTiles: u32,
  partTiles: u32, // tiles of a part
  channels: u32,
  members: f32, // of a set
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> x: array<Values>;
@group(0) @binding(2) var<storage, read> outputGradient: array<Values>;
@group(0) @binding(3) var<storage, read> residual: array<Values>;
@group(0) @binding(7) var<storage, read_write> partials: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> result: array<Values>;
@group(0) @binding(9) var<storage, read_write> residualGradient: array<Values>;

fn totalOf(numbers: Numbers) -> f32 {
  @if(VECTORS) return (numbers.x + numbers.y) + (numbers.z + numbers.w);
  @else return numbers;
}

fn partOf(numbers: Numbers, part: u32) -> f32 {
  @if(VECTORS) return numbers[part];
  @else return numbers;
}

struct Terms {
  gradients: Numbers,
  normals: Numbers,
}

fn termsOf(values: Numbers, gradients: Numbers, added: Numbers, channel: u32, cell: u32) -> Terms {
  @if(VECTORS) {
    let step = select(0u, 1u, CHANNELS_LAST);
    let a = normTerm(values.x, gradients.x, added.x, channel, cell);
    let b = normTerm(values.y, gradients.y, added.y, channel + step, cell);
    let c = normTerm(values.z, gradients.z, added.z, channel + 2u * step, cell);
    let d = normTerm(values.w, gradients.w, added.w, channel + 3u * step, cell);
    return Terms(
      vec4<f32>(a.gradient, b.gradient, c.gradient, d.gradient),
      vec4<f32>(a.normal, b.normal, c.normal, d.normal),
    );
  }
  @else {
    let term = normTerm(values, gradients, added, channel, cell);
    return Terms(term.gradient, term.normal);
  }
}

fn weightAt(channel: u32) -> Numbers {
  if (!HAS_WEIGHT) {
    return Numbers(1.0);
  }
  @if(VECTORS) {
    if (CHANNELS_LAST) {
      return vec4<f32>(weight[channel], weight[channel + 1u], weight[channel + 2u], weight[channel + 3u]);
    }
  }
  return Numbers(weight[channel]);
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
  let part = task / groupTiles;
  let own = threadOf(thread, task % groupTiles);
  var channelGradients: array<Numbers, KEPT_CHANNELS>;
  var channelProducts: array<Numbers, KEPT_CHANNELS>;
  for (var i = 0u; i < KEPT_CHANNELS; i++) { // @unroll
    channelGradients[i] = Numbers();
    channelProducts[i] = Numbers();
  }
  let end = min(geometry.sampleTiles, (part + 1u) * geometry.partTiles);
  for (var tile = part * geometry.partTiles; tile < end; tile++) {
    let sample = tile * SAMPLE_LANES + own.sampleLane;
    let isThere = (sample < extents.x) & (own.group < extents.y);
    let cell = select(0u, sample * extents.y + own.group, isThere);
    var gradients: array<Numbers, KEPT>;
    var normals: array<Numbers, KEPT>;
    var sums = vec2<f32>();
    for (var i = 0u; i < KEPT_CHANNELS; i++) { // @unroll
      let channel = own.channel + i * SPAN;
      let isChannel = isThere & (channel < extents.z);
      let firstChannel = select(0u, (own.group * extents.z + channel) * UNIT_CHANNELS, isChannel);
      var ownGradients = Numbers();
      var ownProducts = Numbers();
      for (var j = 0u; j < KEPT_POSITIONS; j++) { // @unroll
        let position = own.positionLane + j * POSITION_LANES;
        let inside = isChannel & (position < extents.w);
        let place = select(0u, unitAt(sample, own.group, channel, position, extents, row), inside);
        var added = Numbers();
        if (HAS_RESIDUAL) {
          added = Numbers(residual[place]);
        }
        let terms = termsOf(Numbers(x[place]), Numbers(outputGradient[place]), added, firstChannel, cell);
        if (WRITES_GRADIENT) {
          if (inside) {
            residualGradient[place] = Values(terms.gradients);
          }
        }
        gradients[i * KEPT_POSITIONS + j] = terms.gradients;
        normals[i * KEPT_POSITIONS + j] = terms.normals;
        ownGradients += select(Numbers(), terms.gradients, inside);
        ownProducts += select(Numbers(), terms.gradients * terms.normals, inside);
      }
      if (SUMS_CHANNELS) {
        channelGradients[i] += ownGradients;
        channelProducts[i] += ownProducts;
      }
      let factors = weightAt(firstChannel);
      sums += vec2<f32>(totalOf(ownGradients * factors), totalOf(ownProducts * factors));
    }
    let means = sumAmong(sums, own.place, own.base, SET_THREADS, GATHERERS) / geometry.members;
    let deviation = statistics[cell].y;
    for (var i = 0u; i < KEPT_CHANNELS; i++) { // @unroll
      let channel = own.channel + i * SPAN;
      let isChannel = isThere & (channel < extents.z);
      let factors = weightAt(select(0u, (own.group * extents.z + channel) * UNIT_CHANNELS, isChannel));
      for (var j = 0u; j < KEPT_POSITIONS; j++) { // @unroll
        let position = own.positionLane + j * POSITION_LANES;
        if (isChannel & (position < extents.w)) {
          let dz = gradients[i * KEPT_POSITIONS + j];
          let normal = normals[i * KEPT_POSITIONS + j];
          let place = unitAt(sample, own.group, channel, position, extents, row);
          result[place] = Values((factors * dz - (means.x + normal * means.y)) * deviation);
        }
      }
    }
  }
  if (!SUMS_CHANNELS) {
    return;
  }
  let inChannel = own.sampleLane * POSITION_LANES + own.positionLane;
  for (var i = 0u; i < KEPT_CHANNELS; i++) { // @unroll
    let channel = own.channel + i * SPAN;
    for (var e = 0u; e < UNIT_CHANNELS; e++) { // @unroll
      var pair = vec2<f32>(totalOf(channelGradients[i]), totalOf(channelProducts[i]));
      if (CHANNELS_LAST) {
        pair = vec2<f32>(partOf(channelGradients[i], e), partOf(channelProducts[i], e));
      }
      let total = sumAmong(pair, inChannel, own.channelLane * CHANNEL_THREADS, CHANNEL_THREADS, CHANNEL_GATHERERS);
      if ((inChannel == 0u) & (own.group < extents.y) & (channel < extents.z)) {
        partials[part * geometry.channels + (own.group * extents.z + channel) * UNIT_CHANNELS + e] = total;
      }
    }
  }
}
