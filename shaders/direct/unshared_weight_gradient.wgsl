// Weight gradient of a locally connected layer: one thread a weight, whose sum runs over the batch alone.
//
//   result[p, o, c, k] = sum over n of dy[n, o, p] * x[n, c, p * stride + k * dilation - pad]
//
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::gradient::{gradientAt, input};
import package::common::grid::workgroupIndex;
import package::common::long_sum::{BLOCK_TERMS, LongSum, totalOf, withBlock};
import package::common::space::{flatten, unflatten};
import package::common::taps::{isInside, TAPS};
import package::common::weight_gradient::{inputAt, originOf};

const THREADS: u32 = 64u;

struct Geometry {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  elements: u32, // positions * groups * outputChannels * inputChannels * TAPS
  batch: u32,
  groups: u32,
  outputChannels: u32, // of a group, as inputChannels
  inputChannels: u32,
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> result: array<Element>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let element = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (element >= geometry.elements) {
    return;
  }
  let extentN = geometry.inputChannels * TAPS;
  let n = element % extentN;
  let channel = (element / extentN) % (geometry.groups * geometry.outputChannels);
  let position = element / (extentN * geometry.groups * geometry.outputChannels);
  let group = channel / geometry.outputChannels;

  let origin = originOf(n, geometry.padBegin);
  let at = inputAt(unflatten(position, geometry.outputSize), origin, geometry.inputSize);
  let inside = isInside(at, geometry.inputSize);
  var inputOffset = (group * geometry.inputChannels + n / TAPS) * geometry.inputStrides.y
    + select(0u, flatten(at, geometry.inputSize), inside) * geometry.inputStrides.z;
  var outputOffset = channel * geometry.outputStrides.y + position * geometry.outputStrides.z;
  var sum: LongSum;
  var sample = 0u;
  while (sample < geometry.batch) {
    let end = min(geometry.batch, sample + BLOCK_TERMS);
    var terms = 0.0;
    while (sample < end) {
      // Padding has no terms: an infinite dy times its zeros would be NaN.
      terms += select(0.0, gradientAt(outputOffset) * f32(input[inputOffset]), inside);
      inputOffset += geometry.inputStrides.x;
      outputOffset += geometry.outputStrides.x;
      sample++;
    }
    sum = withBlock(sum, terms);
  }
  result[element] = Element(totalOf(sum));
}
