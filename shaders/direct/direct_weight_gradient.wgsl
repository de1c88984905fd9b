// Direct weight gradient, one thread a weight and split, of any problem.
//
//   partials[split][g, row, column] = sum over positions p of the split of
//                                     dy[n, row, p] * x[n, c, p * stride + tap - pad]
//
// Rows, columns and partials: common/weight_columns.wgsl. Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::long_sum::{BLOCK_TERMS, LongSum, totalOf, withBlock};
import package::common::space::{flatten, unflatten};
import package::common::taps::{isInside, TAPS};
import package::common::weight_columns::{columnOrigin, inputAt};
import package::common::epilogue::HAS_BIAS;
import package::common::gradient::{gradientAt, loadInput};

const THREADS: u32 = 64u;

struct Geometry {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  elements: u32, // splits * groups * rows * columns, bias column included
  groups: u32,
  rows: u32, // output channels of a group
  inputChannels: u32, // of a group
  outputPositions: u32, // of one sample
  depth: u32, // batch * outputPositions
  depthPerSplit: u32,
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let element = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (element >= geometry.elements) {
    return;
  }
  let weightColumns = geometry.inputChannels * TAPS;
  let columns = weightColumns + select(0u, 1u, HAS_BIAS);
  let column = element % columns;
  let row = (element / columns) % geometry.rows;
  let group = (element / (columns * geometry.rows)) % geometry.groups;
  let split = element / (columns * geometry.rows * geometry.groups);

  let origin = columnOrigin(column, geometry.padBegin);
  let isBias = column == weightColumns;
  let channel = group * geometry.inputChannels + min(column / TAPS, geometry.inputChannels - 1u);
  let inputBase = channel * geometry.inputStrides.y;
  let outputBase = (group * geometry.rows + row) * geometry.outputStrides.y;
  let end = min(geometry.depth, (split + 1u) * geometry.depthPerSplit);
  var sum: LongSum;
  var depth = split * geometry.depthPerSplit;
  while (depth < end) {
    let blockEnd = min(end, depth + BLOCK_TERMS);
    var terms = 0.0;
    while (depth < blockEnd) {
      let sample = depth / geometry.outputPositions;
      let position = depth % geometry.outputPositions;
      let at = inputAt(unflatten(position, geometry.outputSize), origin, geometry.inputSize);
      let inside = isInside(at, geometry.inputSize);
      let offset = sample * geometry.inputStrides.x + inputBase
        + flatten(at, geometry.inputSize) * geometry.inputStrides.z;
      let outputOffset = sample * geometry.outputStrides.x + outputBase + position * geometry.outputStrides.z;
      terms += gradientAt(outputOffset) * select(loadInput(offset, inside), 1.0, isBias);
      depth++;
    }
    sum = withBlock(sum, terms);
  }
  partials[element] = totalOf(sum);
}
