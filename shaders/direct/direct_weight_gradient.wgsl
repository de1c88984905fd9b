// Direct weight gradient of any problem: one thread an element of a partial result.
//
//   partials[split][g, m, n] = sum over output positions k of the split of dy[m, k] * patches[k, n]
//
// m, n and partials: common/weight_gradient.wgsl. Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::long_sum::{BLOCK_TERMS, LongSum, totalOf, withBlock};
import package::common::space::{flatten, unflatten};
import package::common::taps::{isInside, TAPS};
import package::common::weight_gradient::{inputAt, originOf};
import package::common::epilogue::HAS_BIAS;
import package::common::gradient::{gradientAt, loadInput};

const THREADS: u32 = 64u;

struct Geometry {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  elements: u32, // splitK * groups * M * N
  groups: u32,
  outputChannels: u32, // of a group, as inputChannels
  inputChannels: u32,
  outputPositions: u32, // of one sample
  k: u32, // batch * outputPositions
  kPerSplit: u32,
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

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
  let filterWeights = geometry.inputChannels * TAPS;
  let extentN = filterWeights + select(0u, 1u, HAS_BIAS);
  let n = element % extentN;
  let m = (element / extentN) % geometry.outputChannels;
  let group = (element / (extentN * geometry.outputChannels)) % geometry.groups;
  let split = element / (extentN * geometry.outputChannels * geometry.groups);

  let origin = originOf(n, geometry.padBegin);
  let isBias = n == filterWeights;
  let channel = group * geometry.inputChannels + min(n / TAPS, geometry.inputChannels - 1u);
  let inputBase = channel * geometry.inputStrides.y;
  let outputBase = (group * geometry.outputChannels + m) * geometry.outputStrides.y;
  let end = min(geometry.k, (split + 1u) * geometry.kPerSplit);
  var sum: LongSum;
  var k = split * geometry.kPerSplit;
  while (k < end) {
    let blockEnd = min(end, k + BLOCK_TERMS);
    var terms = 0.0;
    while (k < blockEnd) {
      let sample = k / geometry.outputPositions;
      let position = k % geometry.outputPositions;
      let at = inputAt(unflatten(position, geometry.outputSize), origin, geometry.inputSize);
      let inside = isInside(at, geometry.inputSize);
      let offset = sample * geometry.inputStrides.x + inputBase
        + flatten(at, geometry.inputSize) * geometry.inputStrides.z;
      let outputOffset = sample * geometry.outputStrides.x + outputBase + position * geometry.outputStrides.z;
      // Padding has no terms: an infinite dy times its zeros would be NaN.
      if (inside | isBias) {
        terms += gradientAt(outputOffset) * select(loadInput(offset, inside), 1.0, isBias);
      }
      k++;
    }
    sum = withBlock(sum, terms);
  }
  partials[element] = totalOf(sum);
}
