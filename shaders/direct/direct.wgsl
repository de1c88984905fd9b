// Direct convolution, one thread a result element: forward pass and input gradient of any problem.
//
//   result[n, r, p] = sum over taps t, source channels s of weight[r, s, t] * source[n, s, gather(p, t)]
//
// forward:        source = x, result = y        input gradient: source = dy, result = dx
// Layouts are strides, so each tensor may keep its channels first or last. Sizes may be any.
// Dispatch: ceil(resultElements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::long_sum::{BLOCK_TERMS, LongSum, totalOf, withBlock};
import package::common::result::storeResult;
import package::common::source::sourceOrPixelAt;
import package::common::space::{flatten, unflatten};
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, tapNumber, tapOf,
  PHASE_TAPS_DEPTH, PHASE_TAPS_HEIGHT, PHASE_TAPS_WIDTH, TRANSPOSED
};

const THREADS: u32 = 64u;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  resultElements: u32,
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  weightPositionStride: u32, // between the filters of neighbouring output positions; 0 where they share one
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;

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
              terms += f32(weight[weightOffset]) * value;
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
  let offset = sample * geometry.resultStrides.x + channel * geometry.resultStrides.y
    + position * geometry.resultStrides.z;
  storeResult(totalOf(withBlock(sum, terms)), channel, offset, 0u);
}
