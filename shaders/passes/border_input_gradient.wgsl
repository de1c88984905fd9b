// Input gradient of a padding mode other than zeros: what the padding copied from an element flows back to it.
//
//   result[n, c, i] += sum over places v outside the input that copy i: sum over taps and output channels of
//                      weight[o, c, k] * dy[n, o, (v + padBegin - k * dilation) / stride], where it divides
//
// It runs after the zero-padded input gradient, which has covered v = i. Along each axis an element shows at three
// parts: its own place, before the input and beyond it. Of each part and tap the outputs are known that meet it: one at
// most, or, where the edge is replicated, all of one end. Elements that nothing copies, all but a border, return at
// once.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::long_sum::{BLOCK_TERMS, LongSum, totalOf, withBlock};
import package::common::padding::{
  PADDING_CIRCULAR, PADDING_MODE, PADDING_REFLECT, PADDING_REPLICATE, PADDING_SYMMETRIC
};
import package::common::result::{result, Result};
import package::common::source::sourceAt;
import package::common::space::{flatten, unflatten};
import package::common::taps::{
  tapNumber, KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH, DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH,
  STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH
};

const THREADS: u32 = 64u;
const NOT_COPIED: i32 = -0x40000000;

struct Geometry {
  sourceSize: vec3<u32>, // of dy
  resultSize: vec3<u32>, // of dx
  padBegin: vec3<i32>,
  padEnd: vec3<i32>,
  resultElements: u32,
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  weightPositionStride: u32, // between the filters of neighbouring output positions; 0 where they share one
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;

const OWN: u32 = 0u;
const BEFORE: u32 = 1u;
const PARTS: u32 = 3u;

// An axis, as one element sees it.
struct Axis {
  at: i32,
  last: i32, // element of the axis
  padBegin: i32,
  padEnd: i32,
  outputs: i32,
  stride: i32,
}

// Where element `at` shows in a part of the axis, or NOT_COPIED. Of a replicated edge that is the first of several
// places.
fn placeIn(part: u32, axis: Axis) -> i32 {
  if (part == OWN) {
    return axis.at;
  }
  let before = part == BEFORE;
  var place = NOT_COPIED;
  if (PADDING_MODE == PADDING_REPLICATE) {
    let beyond = select(NOT_COPIED, axis.last + 1, axis.at == axis.last);
    place = select(beyond, select(NOT_COPIED, -1, axis.at == 0), before);
  }
  if (PADDING_MODE == PADDING_REFLECT) {
    place = select(2 * axis.last - axis.at, -axis.at, before);
  }
  if (PADDING_MODE == PADDING_SYMMETRIC) {
    place = select(2 * axis.last + 1 - axis.at, -axis.at - 1, before);
  }
  if (PADDING_MODE == PADDING_CIRCULAR) {
    place = select(axis.at + axis.last + 1, axis.at - axis.last - 1, before);
  }
  let beyond = (place > axis.last) & (place <= axis.last + axis.padEnd);
  return select(NOT_COPIED, place, select(beyond, (place < 0) & (place >= -axis.padBegin), before));
}

// The outputs that meet the part's places with a tap `distance` from the first one: first and count.
fn outputsIn(part: u32, place: i32, axis: Axis, distance: u32) -> vec2<u32> {
  let reach = place + axis.padBegin - i32(distance);
  if (PADDING_MODE == PADDING_REPLICATE && part == BEFORE) {
    return vec2<u32>(0u, u32(clamp((reach + axis.stride) / axis.stride, 0, axis.outputs)));
  }
  if (PADDING_MODE == PADDING_REPLICATE && part != OWN) {
    let first = min((max(reach, 0) + axis.stride - 1) / axis.stride, axis.outputs);
    return vec2<u32>(u32(first), u32(axis.outputs - first));
  }
  let output = reach / axis.stride;
  let meets = (reach >= 0) & (output < axis.outputs) & (output * axis.stride == reach);
  return vec2<u32>(u32(max(output, 0)), select(0u, 1u, meets));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let element = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
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

  let outputs = vec3<i32>(size);
  let last = vec3<i32>(geometry.resultSize) - 1;
  let depth = Axis(at.x, last.x, geometry.padBegin.x, geometry.padEnd.x, outputs.x, i32(STRIDE_DEPTH));
  let height = Axis(at.y, last.y, geometry.padBegin.y, geometry.padEnd.y, outputs.y, i32(STRIDE_HEIGHT));
  let width = Axis(at.z, last.z, geometry.padBegin.z, geometry.padEnd.z, outputs.z, i32(STRIDE_WIDTH));

  var sum: LongSum;
  var terms = 0.0;
  var room = BLOCK_TERMS; // for more of them
  var copied = false;
  for (var parts = 1u; parts < PARTS * PARTS * PARTS; parts++) {
    let part = vec3<u32>(parts / (PARTS * PARTS), (parts / PARTS) % PARTS, parts % PARTS);
    let place = vec3<i32>(placeIn(part.x, depth), placeIn(part.y, height), placeIn(part.z, width));
    if ((place.x == NOT_COPIED) | (place.y == NOT_COPIED) | (place.z == NOT_COPIED)) {
      continue;
    }
    copied = true;
    for (var kd = 0u; kd < KERNEL_DEPTH; kd++) {
      let depths = outputsIn(part.x, place.x, depth, kd * DILATION_DEPTH);
      for (var d = depths.x; d < depths.x + depths.y; d++) {
        for (var kh = 0u; kh < KERNEL_HEIGHT; kh++) {
          let heights = outputsIn(part.y, place.y, height, kh * DILATION_HEIGHT);
          for (var h = heights.x; h < heights.x + heights.y; h++) {
            for (var kw = 0u; kw < KERNEL_WIDTH; kw++) {
              let widths = outputsIn(part.z, place.z, width, kw * DILATION_WIDTH);
              for (var w = widths.x; w < widths.x + widths.y; w++) {
                let sourcePosition = flatten(vec3<u32>(d, h, w), size);
                var sourceOffset = sourceBase + sourcePosition * geometry.sourceStrides.z;
                var weightOffset = weightBase + tapNumber(vec3<u32>(kd, kh, kw)) * geometry.weightStrides.z
                  + sourcePosition * geometry.weightPositionStride;
                var c = 0u;
                while (c < geometry.sourceChannels) {
                  let end = min(geometry.sourceChannels, c + room);
                  room -= end - c;
                  while (c < end) {
                    terms += f32(weight[weightOffset]) * sourceAt(sourceOffset);
                    sourceOffset += geometry.sourceStrides.y;
                    weightOffset += geometry.weightStrides.y;
                    c++;
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
      }
    }
  }
  if (copied) {
    let offset = sample * geometry.resultStrides.x + channel * geometry.resultStrides.y
      + position * geometry.resultStrides.z;
    result[offset] = Result(f32(result[offset]) + totalOf(withBlock(sum, terms)));
  }
}
