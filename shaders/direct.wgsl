// Direct convolution, one thread a result element: forward pass and input gradient of any problem.
//
//   result[n, r, p] = sum over taps k, source channels s of weight[r, s, k] * source[n, s, gather(p, k)]
//
// forward:        source = x, result = y        input gradient: source = dy, result = dx
// Layouts are strides, so each tensor may keep its channels first or last.
// Dispatch: ceil(resultElements / 64) workgroups, folded. Nothing is assumed of the sizes.
import package::common::grid::workgroupIndex;
import package::common::space::{flatten, unflatten};
import package::common::taps::{
  gatherDepth, gatherHeight, gatherOrigin, gatherWidth, isInside, KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH
};
import package::common::epilogue::{activate, activationGradient, HAS_BIAS, MASKED};

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
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> activated: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

fn loadSource(offset: u32) -> f32 {
  if (MASKED) {
    return activationGradient(source[offset], activated[offset]);
  }
  return source[offset];
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

  let origin = gatherOrigin(unflatten(position, geometry.resultSize), geometry.padBegin);
  let sourceBase = sample * geometry.sourceStrides.x + group * geometry.sourceChannels * geometry.sourceStrides.y;
  let weightBase = group * geometry.weightGroupStride + (channel % geometry.resultChannels) * geometry.weightStrides.x;
  var sum = 0.0;
  for (var kd = 0u; kd < KERNEL_DEPTH; kd++) {
    for (var kh = 0u; kh < KERNEL_HEIGHT; kh++) {
      for (var kw = 0u; kw < KERNEL_WIDTH; kw++) {
        let at = vec3<u32>(gatherDepth(origin, kd), gatherHeight(origin, kh), gatherWidth(origin, kw));
        if (isInside(at, geometry.sourceSize)) {
          var sourceOffset = sourceBase + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z;
          var weightOffset = weightBase + ((kd * KERNEL_HEIGHT + kh) * KERNEL_WIDTH + kw) * geometry.weightStrides.z;
          for (var c = 0u; c < geometry.sourceChannels; c++) {
            sum += weight[weightOffset] * loadSource(sourceOffset);
            sourceOffset += geometry.sourceStrides.y;
            weightOffset += geometry.weightStrides.y;
          }
        }
      }
    }
  }
  if (HAS_BIAS) {
    sum += bias[channel];
  }
  result[sample * geometry.resultStrides.x + channel * geometry.resultStrides.y + position * geometry.resultStrides.z] =
    activate(sum);
}
