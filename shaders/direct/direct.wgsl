// Direct convolution, one thread a result element: forward pass and input gradient of any problem.
//
//   result[n, r, p] = sum over taps t, source channels s of weight[r, s, t] * source[n, s, gather(p, t)]
//
// forward:        source = x, result = y        input gradient: source = dy, result = dx
// Layouts are strides, so each tensor may keep its channels first or last. Sizes may be any.
// Condition REPAIRS: another solver has written the results, and those that are NaN are summed once more. Others
// multiply the zeros of padding by weights, which gives NaN where these are infinite; here padding has no terms. Looked
// at are results outside of a box, where all taps meet the source; on condition PACKED, words of float16, all.
// Dispatch: ceil(threads / 64) workgroups, folded; a thread for each result element that is looked at.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::halves::{packPair, unpackHalf};
import package::common::long_sum::{BLOCK_TERMS, LongSum, totalOf, withBlock};
import package::common::result::{finishSum, result, storeResult};
import package::common::source::sourceOrPixelAt;
import package::common::space::{flatten, unflatten};
import package::common::specials::isSpecial;
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, tapNumber, tapOf,
  PHASE_TAPS_DEPTH, PHASE_TAPS_HEIGHT, PHASE_TAPS_WIDTH, TRANSPOSED
};

const THREADS: u32 = 64u;
// Infinities are summed once more, too: a solver that sums transforms may have spread them.
const INFINITIES: bool = false; // @specialize

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  threads: u32,
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  batch: u32,
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  weightPositionStride: u32, // between the filters of neighbouring output positions; 0 where they share one
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
  boxBegin: vec3<u32>, // of results that need no repair; empty without REPAIRS
  boxEnd: vec3<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;


fn weightAt(place: u32) -> f32 {
  @if(HALVES) return unpackHalf(weight[place / 2u], place);
  @else return f32(weight[place]);
}

fn sumOf(sample: u32, channel: u32, position: u32) -> f32 {
  let group = channel / geometry.resultChannels;
  let at = unflatten(position, geometry.resultSize);
  let first = firstTap(at, geometry.padBegin);
  let origin = gatherOrigin(vec3<i32>(at), geometry.padBegin, first);
  let sourceBase = sample * geometry.sourceStrides.x + group * geometry.sourceChannels * geometry.sourceStrides.y;
  let weightBase = group * geometry.weightGroupStride + (channel % geometry.resultChannels) * geometry.weightStrides.x;
  let size = geometry.sourceSize;
  var sum: LongSum;
  var terms = 0.0;
  var room = BLOCK_TERMS; // for more of them
  for (var td = 0u; td < PHASE_TAPS_DEPTH; td++) {
    for (var th = 0u; th < PHASE_TAPS_HEIGHT; th++) {
      for (var tw = 0u; tw < PHASE_TAPS_WIDTH; tw++) {
        let phaseTap = vec3<u32>(td, th, tw);
        let tap = tapOf(first, phaseTap);
        let sourcePosition = gatherAt(origin, phaseTap, size);
        if (isTap(tap) & isInside(sourcePosition, size)) {
          var sourceOffset = sourceBase + flatten(sourcePosition, size) * geometry.sourceStrides.z;
          let outputPosition = select(position, flatten(sourcePosition, size), TRANSPOSED);
          var weightOffset = weightBase + tapNumber(tap) * geometry.weightStrides.z
            + outputPosition * geometry.weightPositionStride;
          var c = 0u;
          while (c < geometry.sourceChannels) {
            let end = min(geometry.sourceChannels, c + room);
            room -= end - c;
            while (c < end) {
              let value = sourceOrPixelAt(sourceOffset, geometry.pixelScale, geometry.pixelShift);
              terms += weightAt(weightOffset) * value;
              sourceOffset += geometry.sourceStrides.y;
              weightOffset += geometry.weightStrides.y;
              c++;
            }
            @if(REPAIRS) {
              if (isSpecial(terms, false)) {
                return terms;
              }
            }
            if (room == 0u) {
              sum = withBlock(sum, terms);
              terms = 0.0;
              room = BLOCK_TERMS;
            }
          }
        }
      }
    }
  }
  return totalOf(withBlock(sum, terms));
}

fn placeOf(sample: u32, channel: u32, position: u32) -> u32 {
  return sample * geometry.resultStrides.x + channel * geometry.resultStrides.y + position * geometry.resultStrides.z;
}

// Of the positions outside of the box, number `index`: those of the planes before and beyond it, then rows, columns.
fn outsideBox(index: u32) -> u32 {
  let begin = geometry.boxBegin;
  let extent = geometry.boxEnd - begin;
  let size = geometry.resultSize;
  let outer = size - extent;
  let plane = size.y * size.z;
  if (index < outer.x * plane) {
    return index + select(0u, extent.x * plane, index >= begin.x * plane);
  }
  let inDepth = index - outer.x * plane;
  let rows = outer.y * size.z;
  if (inDepth < extent.x * rows) {
    let inRows = inDepth % rows;
    let row = select(0u, extent.y * size.z, inRows >= begin.y * size.z) + inRows;
    return (begin.x + inDepth / rows) * plane + row;
  }
  let inHeight = inDepth - extent.x * rows;
  let row = inHeight / outer.z;
  let column = inHeight % outer.z;
  let beyond = select(0u, extent.z, column >= begin.z);
  return flatten(vec3<u32>(begin.x + row / extent.y, begin.y + row % extent.y, column + beyond), size);
}

fn repairPair(index: u32) {
  @if(PACKED) {
    let channels = geometry.groups * geometry.resultChannels;
    let positions = geometry.resultSize.x * geometry.resultSize.y * geometry.resultSize.z;
    var values = unpack2x16float(result[index]);
    let first = isSpecial(values.x, INFINITIES);
    let areWrong = vec2<bool>(first, isSpecial(values.y, INFINITIES));
    if (!any(areWrong)) {
      return;
    }
    for (var i = 0u; i < 2u; i++) {
      let place = 2u * index + i;
      let sample = place / geometry.resultStrides.x;
      if (areWrong[i] && sample < geometry.batch) {
        let channel = (place / geometry.resultStrides.y) % channels;
        let sum = sumOf(sample, channel, (place / geometry.resultStrides.z) % positions);
        values[i] = finishSum(sum, channel, place);
      }
    }
    result[index] = packPair(values.x, values.y);
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (index >= geometry.threads) {
    return;
  }
  @if(PACKED) {
    repairPair(index);
  } @else {
    let channels = geometry.groups * geometry.resultChannels;
    let size = geometry.resultSize;
    let box = geometry.boxEnd - geometry.boxBegin;
    let positions = size.x * size.y * size.z - box.x * box.y * box.z;
    @if(REPAIRS) let position = outsideBox(index % positions);
    @else let position = index % positions;
    let plane = index / positions;
    let channel = plane % channels;
    let sample = plane / channels;
    let place = placeOf(sample, channel, position);
    @if(REPAIRS) {
      if (!isSpecial(f32(result[place]), INFINITIES)) {
        return;
      }
    }
    storeResult(sumOf(sample, channel, position), channel, place, 0u);
  }
}
