// Weight gradient in register tiles, without workgroup memory.
//
//   partials[split][g, row, column] = sum over positions of the split of dy[row, p] * patch[column, p]
//
// Each thread holds ROWS x COLUMNS sums. The depth is cut into segments of one output row each, so that the innermost
// loop walks along the width with no division. Rows, columns, partials: common/weight_columns.wgsl. With SHARED above
// 1, and the condition SUBGROUPS, the lanes of a subgroup load the gradients of as many positions, one each, and pass
// them around.
// Dispatch: splits x groups x rowBlocks x columnBlocks workgroups of THREADS columns, folded.
import package::common::grid::workgroupIndex;
import package::common::taps::TAPS;
import package::common::weight_columns::{columnOrigin, inputDepth, inputHeight, inputWidth};
import package::common::epilogue::HAS_BIAS;
import package::common::gradient::{gradientAt, input};
@if(SUBGROUPS) enable subgroups;

const THREADS: u32 = 64u; // @specialize
const ROWS: u32 = 4u; // @specialize
const COLUMNS: u32 = 4u; // @specialize
const SHARED: u32 = 1u; // @specialize
// Condition BLOCKED: sums are longer than a block. What several of them make is added up in the partial result or, on
// condition IN_REGISTERS, in registers.
const MOST_POSITIONS: u32 = 0x40000000u;

struct Geometry {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  rows: u32, // output channels of a group
  groups: u32,
  inputChannels: u32, // of a group
  columnBlocks: u32,
  rowBlocks: u32,
  tasks: u32, // splits * groups * rowBlocks * columnBlocks
  segments: u32, // batch * output rows * segmentsPerRow
  segmentsPerRow: u32,
  segmentLength: u32,
  segmentsPerSplit: u32,
  segmentsPerBlock: u32,
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

struct Invocation {
  @builtin(local_invocation_index) thread: u32,
  @if(SUBGROUPS) @builtin(subgroup_invocation_id) lane: u32,
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  place: Invocation,
) {
  var lane = 0u;
  @if(SUBGROUPS) lane = place.lane % SHARED;
  let task = workgroupIndex(workgroupId, grid);
  if (task >= geometry.tasks) {
    return;
  }
  let columnBlock = task % geometry.columnBlocks;
  let rowBlock = (task / geometry.columnBlocks) % geometry.rowBlocks;
  let outer = task / (geometry.columnBlocks * geometry.rowBlocks);
  let group = outer % geometry.groups;
  let split = outer / geometry.groups;
  let firstRow = rowBlock * ROWS;
  let firstColumn = (columnBlock * THREADS + place.thread) * COLUMNS;
  let weightColumns = geometry.inputChannels * TAPS;
  let columns = weightColumns + select(0u, 1u, HAS_BIAS);
  // Columns beyond the last compute the last once more: lanes that share their loads must all be there.
  var origins: array<vec3<i32>, COLUMNS>;
  var channels: array<u32, COLUMNS>;
  for (var j = 0u; j < COLUMNS; j++) { // @unroll
    let column = min(firstColumn + j, weightColumns - 1u);
    origins[j] = columnOrigin(column, geometry.padBegin);
    channels[j] = (group * geometry.inputChannels + column / TAPS) * geometry.inputStrides.y;
  }
  var channelRows: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // @unroll
    channelRows[r] = (group * geometry.rows + min(firstRow + r, geometry.rows - 1u)) * geometry.outputStrides.y;
  }

  let size = geometry.inputSize;
  // Block by block: the partial result holds what those before have summed.
  let begin = split * geometry.segmentsPerSplit;
  let end = min(geometry.segments, begin + geometry.segmentsPerSplit);
  var sums: array<f32, ROWS * COLUMNS>;
  var totals: array<f32, ROWS * COLUMNS>;
  for (var first = begin; first < end; first += geometry.segmentsPerBlock) {
    for (var i = 0u; i < ROWS * COLUMNS; i++) { // @unroll
      sums[i] = 0.0;
    }
    let blockEnd = min(end, first + geometry.segmentsPerBlock);
    for (var segment = first; segment < blockEnd; segment++) {
      let start = (segment % geometry.segmentsPerRow) * geometry.segmentLength;
      let line = segment / geometry.segmentsPerRow;
      let height = line % geometry.outputSize.y;
      let depth = (line / geometry.outputSize.y) % geometry.outputSize.x;
      let sample = line / (geometry.outputSize.y * geometry.outputSize.x);
      let length = min(geometry.segmentLength, geometry.outputSize.z - start);
      let outputBase = sample * geometry.outputStrides.x
        + ((depth * geometry.outputSize.y + height) * geometry.outputSize.z + start) * geometry.outputStrides.z;

      var inside: array<bool, COLUMNS>;
      var bases: array<u32, COLUMNS>;
      for (var j = 0u; j < COLUMNS; j++) { // @unroll
        let atDepth = inputDepth(depth, origins[j], size);
        let atHeight = inputHeight(height, origins[j], size);
        inside[j] = (atDepth < size.x) & (atHeight < size.y);
        bases[j] = sample * geometry.inputStrides.x + channels[j]
          + select(0u, atDepth * size.y + atHeight, inside[j]) * size.z * geometry.inputStrides.z;
      }
      for (var i = 0u; i < MOST_POSITIONS; i++) {
        let share = i * SHARED;
        if (share >= length) {
          break;
        }
        // Beyond the end gradients are 0, and patches too, lest 0 meet an infinity.
        let own = share + lane;
        let ownOffset = outputBase + min(own, length - 1u) * geometry.outputStrides.z;
        var gradients: array<f32, ROWS>;
        for (var r = 0u; r < ROWS; r++) { // @unroll
          gradients[r] = select(0.0, gradientAt(ownOffset + channelRows[r]), own < length);
        }
        // Column by column: neighbouring positions lie in one cache line, columns may all be far apart.
        var patches: array<f32, COLUMNS * SHARED>;
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          for (var s = 0u; s < SHARED; s++) { // @unroll
            let width = inputWidth(start + share + s, origins[j], size);
            let meets = inside[j] & (width < size.z) & (share + s < length);
            let value = select(0.0, f32(input[bases[j] + select(0u, width, meets) * geometry.inputStrides.z]), meets);
            patches[j * SHARED + s] = select(value, 1.0, firstColumn + j >= weightColumns);
          }
        }
        for (var s = 0u; s < SHARED; s++) { // @unroll
          for (var r = 0u; r < ROWS; r++) { // @unroll
            var gradient = gradients[r];
            @if(SUBGROUPS) gradient = subgroupBroadcast(gradients[r], s);
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              sums[r * COLUMNS + j] += gradient * patches[j * SHARED + s];
            }
          }
        }
      }
    }

    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < ROWS * COLUMNS; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        // Row by row. Reads beyond the end of one mean nothing, and are not stored.
        for (var r = 0u; r < ROWS; r++) { // @unroll
          let base = (outer * geometry.rows + firstRow + r) * columns + firstColumn;
          if (first > begin) {
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              sums[r * COLUMNS + j] += partials[base + j];
            }
          }
          if (blockEnd < end && firstRow + r < geometry.rows) {
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              if (firstColumn + j < columns) {
                partials[base + j] = sums[r * COLUMNS + j];
              }
            }
          }
        }
      }
    } @else {
      break;
    }
  }

  for (var r = 0u; r < ROWS; r++) { // @unroll
    let row = firstRow + r;
    if (row < geometry.rows) {
      let base = (outer * geometry.rows + row) * columns;
      for (var j = 0u; j < COLUMNS; j++) { // @unroll
        let column = firstColumn + j;
        if (column < columns) {
          partials[base + column] = sums[r * COLUMNS + j];
        }
      }
    }
  }
}
