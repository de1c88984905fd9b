// Input gradient of a padding mode other than zeros: what the padding copied from an element flows back to it.
//
//   result[n, c, i] += sum over places v outside the input that copy i: sum over taps and output channels of
//                      weight[o, c, k] * dy[n, o, (v + padBegin - k * dilation) / stride], where it divides
//
// It runs after the zero-padded input gradient, which has covered v = i. Elements that nothing copies, all but a
// border as wide as the padding, return at once. Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::epilogue::{maskGradient, MASKED};
import package::common::grid::workgroupIndex;
import package::common::padding::{
  PADDING_CIRCULAR, PADDING_MODE, PADDING_REFLECT, PADDING_REPLICATE, PADDING_SYMMETRIC
};
import package::common::space::{flatten, unflatten};
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, tapNumber, tapOf, VISITS_DEPTH, VISITS_HEIGHT, VISITS_WIDTH
};

const THREADS: u32 = 64u;
const NOT_COPIED: i32 = -0x40000000;

struct Geometry {
  sourceSize: vec3<u32>, // of dy
  resultSize: vec3<u32>, // of dx
  padBegin: vec3<i32>,
  padEnd: vec3<i32>,
  copies: vec3<u32>, // places to look at along each axis, the element's own first
  resultElements: u32,
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  weightPositionStride: u32, // between the filters of neighbouring output positions; 0 where they share one
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read> activated: array<Element>;
@group(0) @binding(4) var<storage, read_write> result: array<Element>;

// Place number `copy` along an axis that shows element `at`, or NOT_COPIED. Number 0 is the element itself.
fn placeOf(at: i32, copy: u32, size: u32, padBegin: i32, padEnd: i32) -> i32 {
  if (copy == 0u) {
    return at;
  }
  let last = i32(size) - 1;
  var place = NOT_COPIED;
  if (PADDING_MODE == PADDING_REPLICATE) {
    let before = -i32(copy);
    let after = last + i32(copy) - max(padBegin, 0);
    if (i32(copy) <= padBegin) {
      place = select(NOT_COPIED, before, at == 0);
    } else {
      place = select(NOT_COPIED, after, at == last);
    }
    return place;
  }
  if (PADDING_MODE == PADDING_REFLECT) {
    place = select(2 * last - at, -at, copy == 1u);
  }
  if (PADDING_MODE == PADDING_SYMMETRIC) {
    place = select(2 * last + 1 - at, -at - 1, copy == 1u);
  }
  if (PADDING_MODE == PADDING_CIRCULAR) {
    place = select(at + i32(size), at - i32(size), copy == 1u);
  }
  let outside = select(place > last, place < 0, copy == 1u);
  return select(NOT_COPIED, place, outside & (place >= -padBegin) & (place <= last + padEnd));
}

fn loadSource(offset: u32) -> f32 {
  if (MASKED) {
    return maskGradient(f32(source[offset]), f32(activated[offset]));
  }
  return f32(source[offset]);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let element = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (element >= geometry.resultElements) {
    return;
  }
  let positions = geometry.resultSize.x * geometry.resultSize.y * geometry.resultSize.z;
  let position = element % positions;
  let plane = element / positions;
  let channel = plane % (geometry.groups * geometry.resultChannels);
  let sample = plane / (geometry.groups * geometry.resultChannels);
  let group = channel / geometry.resultChannels;
  let at = vec3<i32>(unflatten(position, geometry.resultSize));
  let size = geometry.sourceSize;
  let sourceBase = sample * geometry.sourceStrides.x + group * geometry.sourceChannels * geometry.sourceStrides.y;
  let weightBase = group * geometry.weightGroupStride + (channel % geometry.resultChannels) * geometry.weightStrides.x;

  var sum = 0.0;
  var copied = false;
  for (var copy = 1u; copy < geometry.copies.x * geometry.copies.y * geometry.copies.z; copy++) {
    let row = copy / geometry.copies.z;
    let place = vec3<i32>(
      placeOf(at.x, row / geometry.copies.y, geometry.resultSize.x, geometry.padBegin.x, geometry.padEnd.x),
      placeOf(at.y, row % geometry.copies.y, geometry.resultSize.y, geometry.padBegin.y, geometry.padEnd.y),
      placeOf(at.z, copy % geometry.copies.z, geometry.resultSize.z, geometry.padBegin.z, geometry.padEnd.z)
    );
    if ((place.x == NOT_COPIED) | (place.y == NOT_COPIED) | (place.z == NOT_COPIED)) {
      continue;
    }
    copied = true;
    // firstTap takes coordinates from zero on: a place before the input is moved there, and the padding with it.
    let shift = min(place, vec3<i32>(0));
    let first = firstTap(vec3<u32>(place - shift), geometry.padBegin + shift);
    let origin = gatherOrigin(place, geometry.padBegin, first);
    for (var vd = 0u; vd < VISITS_DEPTH; vd++) {
      for (var vh = 0u; vh < VISITS_HEIGHT; vh++) {
        for (var vw = 0u; vw < VISITS_WIDTH; vw++) {
          let visit = vec3<u32>(vd, vh, vw);
          let tap = tapOf(first, visit);
          let met = gatherAt(origin, visit, size);
          if (isTap(tap) & isInside(met, size)) {
            var sourceOffset = sourceBase + flatten(met, size) * geometry.sourceStrides.z;
            var weightOffset = weightBase + tapNumber(tap) * geometry.weightStrides.z
              + flatten(met, size) * geometry.weightPositionStride;
            for (var c = 0u; c < geometry.sourceChannels; c++) {
              sum += f32(weight[weightOffset]) * loadSource(sourceOffset);
              sourceOffset += geometry.sourceStrides.y;
              weightOffset += geometry.weightStrides.y;
            }
          }
        }
      }
    }
  }
  if (copied) {
    let offset = sample * geometry.resultStrides.x + channel * geometry.resultStrides.y + position * geometry.resultStrides.z;
    result[offset] = Element(f32(result[offset]) + sum);
  }
}
