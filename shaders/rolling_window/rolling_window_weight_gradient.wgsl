// Weight gradient by rolling windows, for few channels a group (depthwise layers).
//
//   partials[split][g, row, column] = sum over output lines of the split of dy[row, p] * patch[column, p]
//
// Each thread holds all taps of one input channel, for ROWS output channels of its group. It walks down the lines of
// its split, COLUMNS columns at a time. It keeps the inputs below the filter: from line to line those that stay move
// up, and only the new ones are loaded; so does it for all of them where another sample begins.
// Rows, columns and partials: common/weight_columns.wgsl. Neighbouring threads take neighbouring splits.
// Dispatch: ceil(splits * groups * rowBlocks * inputChannels / 64) workgroups, folded.
import package::common::epilogue::HAS_BIAS;
import package::common::gradient::{loadGradient, loadInput};
import package::common::grid::workgroupIndex;
import package::common::padding::paddedSource;
import package::common::taps::{
  KERNEL_HEIGHT, KERNEL_WIDTH, DILATION_HEIGHT, DILATION_WIDTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};

const THREADS: u32 = 64u;
const ROWS: u32 = 1u; // @specialize
const COLUMNS: u32 = 4u; // @specialize
// Long lines are cut. Where they are not, all threads are at the same columns.
const SEGMENTED: bool = false; // @specialize
// Condition BLOCKED: sums are longer than a block. What several of them make is added up in the partial result or, on
// condition IN_REGISTERS, in registers.

const HEIGHT: u32 = (KERNEL_HEIGHT - 1u) * DILATION_HEIGHT + 1u;
const WIDTH: u32 = (COLUMNS - 1u) * STRIDE_WIDTH + (KERNEL_WIDTH - 1u) * DILATION_WIDTH + 1u;
const KEPT: u32 = (HEIGHT - 1u) * WIDTH;

struct Geometry {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  rows: u32, // output channels of a group
  rowBlocks: u32, // ceil(rows / ROWS)
  inputChannels: u32, // of a group
  groups: u32,
  columnBlocks: u32, // of a segment
  segmentsPerLine: u32,
  lines: u32, // batch * output lines
  linesPerSplit: u32,
  linesPerBlock: u32,
  splits: u32,
  walks: u32, // splits * groups * rowBlocks * inputChannels
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

// Where a row of a partial matrix begins.
fn partialPlace(split: u32, group: u32, row: u32) -> u32 {
  let columns = geometry.inputChannels * TAPS + select(0u, 1u, HAS_BIAS);
  return ((split * geometry.groups + group) * geometry.rows + row) * columns;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let walk = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (walk >= geometry.walks) {
    return;
  }
  let split = walk % geometry.splits;
  let task = walk / geometry.splits;
  let channel = task % geometry.inputChannels;
  let rowTask = task / geometry.inputChannels;
  let firstRow = (rowTask % geometry.rowBlocks) * ROWS;
  let group = rowTask / geometry.rowBlocks;
  let inputBase = (group * geometry.inputChannels + channel) * geometry.inputStrides.y;
  let outputBase = (group * geometry.rows + firstRow) * geometry.outputStrides.y;

  let size = geometry.inputSize;
  var segmentStart = 0u;
  var firstLine = split * geometry.linesPerSplit;
  if (SEGMENTED) {
    segmentStart = (split % geometry.segmentsPerLine) * geometry.columnBlocks * COLUMNS;
    firstLine = (split / geometry.segmentsPerLine) * geometry.linesPerSplit;
  }
  let lines = min(geometry.lines - firstLine, geometry.linesPerSplit);
  // Block by block: the partial result holds what those before have summed.
  var held = 0u; // lines of a block
  var hasStored = false;
  var sums: array<f32, ROWS * TAPS>;
  var biasSums: array<f32, ROWS>;
  var totals: array<f32, ROWS * TAPS>;
  var biasTotals: array<f32, ROWS>;
  for (var step = 0u; step < geometry.columnBlocks; step++) {
    let firstColumn = segmentStart + step * COLUMNS;
    var columns: array<u32, WIDTH>;
    for (var x = 0u; x < WIDTH; x++) { // @unroll
      columns[x] = paddedSource(i32(firstColumn * STRIDE_WIDTH + x) - geometry.padBegin.z, size.z);
    }
    var sample = firstLine / geometry.outputSize.y;
    var height = firstLine % geometry.outputSize.y;
    var fresh = HEIGHT;
    var window: array<f32, HEIGHT * WIDTH>;
    for (var line = 0u; line < lines; line++) {
      let top = i32(height * STRIDE_HEIGHT) - geometry.padBegin.y;
      let plane = sample * geometry.inputStrides.x + inputBase;
      for (var y = HEIGHT - fresh; y < HEIGHT; y++) {
        for (var i = 0u; i < KEPT; i++) { // @unroll
          window[i] = window[i + WIDTH];
        }
        let h = paddedSource(top + i32(y), size.y);
        for (var x = 0u; x < WIDTH; x++) { // @unroll
          let place = plane + (h * size.z + columns[x]) * geometry.inputStrides.z;
          window[KEPT + x] = loadInput(place, (h < size.y) & (columns[x] < size.z));
        }
      }
      let lineBase = sample * geometry.outputStrides.x + outputBase
        + (height * geometry.outputSize.z + firstColumn) * geometry.outputStrides.z;
      for (var r = 0u; r < ROWS; r++) { // @unroll
        var gradients: array<f32, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          let inside = (firstColumn + j < geometry.outputSize.z) & (firstRow + r < geometry.rows);
          gradients[j] = loadGradient(lineBase + r * geometry.outputStrides.y + j * geometry.outputStrides.z, inside);
          biasSums[r] += gradients[j];
        }
        for (var kh = 0u; kh < KERNEL_HEIGHT; kh++) { // @unroll
          for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              sums[r * TAPS + kh * KERNEL_WIDTH + kw] += gradients[j]
                * window[kh * DILATION_HEIGHT * WIDTH + j * STRIDE_WIDTH + kw * DILATION_WIDTH];
            }
          }
        }
      }
      @if(BLOCKED) {
        held++;
        if (held == geometry.linesPerBlock) {
          held = 0u;
          for (var r = 0u; r < ROWS; r++) { // @unroll
            biasTotals[r] += biasSums[r];
            biasSums[r] = 0.0;
          }
          @if(IN_REGISTERS) {
            for (var i = 0u; i < ROWS * TAPS; i++) { // @unroll
              totals[i] += sums[i];
              sums[i] = 0.0;
            }
          } @else {
            // Reads beyond the last row mean nothing, and are not stored.
            for (var r = 0u; r < ROWS; r++) { // @unroll
              for (var kh = 0u; kh < KERNEL_HEIGHT; kh++) { // @unroll
                let place = partialPlace(split, group, firstRow + r) + channel * TAPS + kh * KERNEL_WIDTH;
                if (hasStored) {
                  for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
                    sums[r * TAPS + kh * KERNEL_WIDTH + kw] += partials[place + kw];
                  }
                }
                if (firstRow + r < geometry.rows) {
                  for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
                    partials[place + kw] = sums[r * TAPS + kh * KERNEL_WIDTH + kw];
                  }
                }
              }
            }
            for (var i = 0u; i < ROWS * TAPS; i++) { // @unroll
              sums[i] = 0.0;
            }
            hasStored = true;
          }
        }
      }
      height++;
      fresh = min(STRIDE_HEIGHT, HEIGHT);
      if (height == geometry.outputSize.y) {
        height = 0u;
        sample++;
        fresh = HEIGHT;
      }
    }
  }

  for (var r = 0u; r < ROWS; r++) { // @unroll
    if (firstRow + r < geometry.rows) {
      let place = partialPlace(split, group, firstRow + r);
      for (var tap = 0u; tap < TAPS; tap++) { // @unroll
        var sum = sums[r * TAPS + tap];
        @if(BLOCKED) {
          @if(IN_REGISTERS) {
            sum += totals[r * TAPS + tap];
          } @else {
            if (hasStored) {
              sum += partials[place + channel * TAPS + tap];
            }
          }
        }
        partials[place + channel * TAPS + tap] = sum;
      }
      if (HAS_BIAS && channel == 0u) {
        partials[place + geometry.inputChannels * TAPS] = biasTotals[r] + biasSums[r];
      }
    }
  }
}
