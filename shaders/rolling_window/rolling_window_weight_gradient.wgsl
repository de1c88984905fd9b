// Rolling windows, for few channels a group (depthwise layers): weight gradient.
//
//   partials[split][g, m, n] = sum over positions p of the output rows of the split of dy[m, p] * patches[p, n]
//
// Each thread holds the taps of one input channel, for M_PER_THREAD output channels of its group: all of them, or
// FILTER_ROWS x FILTER_COLUMNS taps of a large filter. It walks down the rows of its split, COLUMNS columns at a time,
// and keeps the inputs below its taps: from row to row those that stay move up, and only the new ones are loaded. Where
// another sample begins, steps before the first row fill the window. m, n and partials: common/weight_gradient.wgsl.
// Neighbouring threads take neighbouring splits (those of neighbouring segments of a row first), or neighbouring
// channels (ALONG_CHANNELS).
// Dispatch: ceil(splitK * groups * tilesM * inputChannels * TAP_BLOCKS / 64) workgroups, folded.
import package::common::epilogue::HAS_BIAS;
import package::common::gradient::{gradientAt, inputElement};
import package::common::grid::workgroupIndex;
import package::common::padding::{paddedSource, PADDING_MODE};
import package::common::taps::{
  KERNEL_HEIGHT, KERNEL_WIDTH, DILATION_HEIGHT, DILATION_WIDTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};

const THREADS: u32 = 64u;
const M_PER_THREAD: u32 = 1u; // @specialize
const COLUMNS: u32 = 4u; // @specialize
const FILTER_ROWS: u32 = 3u; // @specialize
const FILTER_COLUMNS: u32 = 3u; // @specialize
// Rows of the window that a step loads: the stride, but no more than there are.
const LOADED: u32 = 1u; // @specialize
// Long rows are cut into segments. Otherwise all threads are at the same columns.
const SEGMENTED: bool = false; // @specialize
const ALONG_CHANNELS: bool = false; // @specialize
// Positions of a row lie side by side: loads then differ by a constant.
const CONTIGUOUS: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the partial result. On
// condition IN_REGISTERS they are added up in registers.

// More than there are: a loop with a constant bound and a break needs no guard counter.
const MOST_TURNS: u32 = 0x40000000u;

const ROW_BLOCKS: u32 = (KERNEL_HEIGHT + FILTER_ROWS - 1u) / FILTER_ROWS;
const COLUMN_BLOCKS: u32 = (KERNEL_WIDTH + FILTER_COLUMNS - 1u) / FILTER_COLUMNS;
const TAP_BLOCKS: u32 = ROW_BLOCKS * COLUMN_BLOCKS;
const HELD_TAPS: u32 = FILTER_ROWS * FILTER_COLUMNS;
const HEIGHT: u32 = (FILTER_ROWS - 1u) * DILATION_HEIGHT + 1u;
const WIDTH: u32 = (COLUMNS - 1u) * STRIDE_WIDTH + (FILTER_COLUMNS - 1u) * DILATION_WIDTH + 1u;
// Rows of the window that a step keeps.
const KEPT: u32 = HEIGHT - LOADED;
const FILLING: u32 = (KEPT + LOADED - 1u) / LOADED;

struct Geometry {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  outputChannels: u32, // of a group, as inputChannels
  tilesM: u32, // ceil(outputChannels / M_PER_THREAD)
  inputChannels: u32,
  groups: u32,
  columnBlocks: u32, // of a segment
  segmentsPerRow: u32,
  rows: u32, // batch * output rows
  rowsPerSplit: u32,
  rowsPerBlock: u32,
  splitK: u32,
  threads: u32, // splitK * groups * tilesM * inputChannels * TAP_BLOCKS
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

// Whether the filter has such a row, or column: the last parts may have fewer.
fn isRow(row: u32) -> bool {
  return KERNEL_HEIGHT % FILTER_ROWS == 0u || row < KERNEL_HEIGHT;
}

fn isColumn(column: u32) -> bool {
  return KERNEL_WIDTH % FILTER_COLUMNS == 0u || column < KERNEL_WIDTH;
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
  let tasks = geometry.threads / geometry.splitK;
  let split = select(index % geometry.splitK, index / tasks, ALONG_CHANNELS);
  let task = select(index / geometry.splitK, index % tasks, ALONG_CHANNELS);
  let channel = task % geometry.inputChannels;
  let channelTask = task / geometry.inputChannels;
  let firstM = (channelTask % geometry.tilesM) * M_PER_THREAD;
  let groupTask = channelTask / geometry.tilesM;
  let group = groupTask % geometry.groups;
  var filterRow = 0u;
  var filterColumn = 0u;
  if (TAP_BLOCKS > 1u) {
    let tapBlock = groupTask / geometry.groups;
    filterRow = (tapBlock / COLUMN_BLOCKS) * FILTER_ROWS;
    filterColumn = (tapBlock % COLUMN_BLOCKS) * FILTER_COLUMNS;
  }
  let inputBase = (group * geometry.inputChannels + channel) * geometry.inputStrides.y;
  let outputBase = (group * geometry.outputChannels + firstM) * geometry.outputStrides.y;
  let extentN = geometry.inputChannels * TAPS + select(0u, 1u, HAS_BIAS);
  let firstPartial = ((split * geometry.groups + group) * geometry.outputChannels + firstM) * extentN;
  let tapPlace = firstPartial + channel * TAPS + filterRow * KERNEL_WIDTH + filterColumn;

  let size = geometry.inputSize;
  let inputStep = select(geometry.inputStrides.z, 1u, CONTIGUOUS);
  let outputStep = select(geometry.outputStrides.z, 1u, CONTIGUOUS);
  let above = i32(filterRow * DILATION_HEIGHT + KEPT) - geometry.padBegin.y;
  var segmentStart = 0u;
  var firstRow = split * geometry.rowsPerSplit;
  if (SEGMENTED) {
    segmentStart = (split % geometry.segmentsPerRow) * geometry.columnBlocks * COLUMNS;
    firstRow = (split / geometry.segmentsPerRow) * geometry.rowsPerSplit;
  }
  let endRow = min(geometry.rows, firstRow + geometry.rowsPerSplit);
  // Block by block: the partial result holds what those before have summed.
  var sums: array<f32, M_PER_THREAD * HELD_TAPS>;
  var biasSums: array<f32, M_PER_THREAD>;
  var totals: array<f32, M_PER_THREAD * HELD_TAPS>;
  var biasTotals: array<f32, M_PER_THREAD>;
  for (var step = 0u; step < MOST_TURNS; step++) {
    if (step >= geometry.columnBlocks) {
      break;
    }
    let firstColumn = segmentStart + step * COLUMNS;
    let left = i32(firstColumn * STRIDE_WIDTH + filterColumn * DILATION_WIDTH) - geometry.padBegin.z;
    // A bit for each column of the window that meets the input.
    var insideBits = 0u;
    for (var x = 0u; x < WIDTH; x++) { // @unroll
      insideBits |= select(0u, 1u << x, paddedSource(left + i32(x), size.z) < size.z);
    }
    // With the row: how many the thread has walked, at all columns.
    let rowsBefore = step * (endRow - firstRow) - firstRow;
    var row = firstRow;
    var sample = row / geometry.outputSize.y;
    var height = row % geometry.outputSize.y;
    var filling = FILLING;
    var window: array<f32, HEIGHT * WIDTH>;
    for (var blockIndex = 0u; blockIndex < MOST_TURNS; blockIndex++) {
      let blockEnd = min(endRow, row + geometry.rowsPerBlock - (rowsBefore + row) % geometry.rowsPerBlock);
      for (var turn = 0u; turn < MOST_TURNS; turn++) {
        if (row >= blockEnd) {
          break;
        }
        // Places beyond the edges are read, too: what they hold means nothing, and is left out.
        let first = i32(height * STRIDE_HEIGHT) + above - i32(filling * LOADED);
        for (var y = 0u; y < LOADED; y++) { // @unroll
          let h = paddedSource(first + i32(y), size.y);
          let rowPlace = sample * geometry.inputStrides.x + inputBase + h * size.z * inputStep;
          let leftPlace = rowPlace + u32(left) * inputStep;
          let rowBits = select(0u, insideBits, h < size.y);
          for (var x = 0u; x < WIDTH; x++) { // @unroll
            var place = leftPlace + x * inputStep;
            if (PADDING_MODE != 0u) {
              place = rowPlace + paddedSource(left + i32(x), size.z) * inputStep;
            }
            let bit = rowBits & (1u << x);
            window[(KEPT + y) * WIDTH + x] = select(0.0, inputElement(place), bit != 0u);
          }
        }
        if (filling == 0u) {
          let rowPlace = sample * geometry.outputStrides.x + outputBase
            + (height * geometry.outputSize.z + firstColumn) * outputStep;
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            var gradients: array<f32, COLUMNS>;
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              let gradient = gradientAt(rowPlace + m * geometry.outputStrides.y + j * outputStep);
              gradients[j] = select(0.0, gradient, firstColumn + j < geometry.outputSize.z);
              biasSums[m] += gradients[j];
            }
            for (var r = 0u; r < FILTER_ROWS; r++) { // @unroll
              for (var t = 0u; t < FILTER_COLUMNS; t++) { // @unroll
                for (var j = 0u; j < COLUMNS; j++) { // @unroll
                  sums[m * HELD_TAPS + r * FILTER_COLUMNS + t] += gradients[j]
                    * window[r * DILATION_HEIGHT * WIDTH + j * STRIDE_WIDTH + t * DILATION_WIDTH];
                }
              }
            }
          }
          row++;
          height++;
          if (height == geometry.outputSize.y) {
            height = 0u;
            sample++;
            filling = FILLING;
          }
        } else {
          filling--;
        }
        for (var i = 0u; i < KEPT * WIDTH; i++) { // @unroll
          window[i] = window[i + LOADED * WIDTH];
        }
      }
      @if(BLOCKED) {
        let isLast = row == endRow && step + 1u == geometry.columnBlocks;
        if ((rowsBefore + row) % geometry.rowsPerBlock == 0u || isLast) {
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            biasTotals[m] += biasSums[m];
            biasSums[m] = 0.0;
          }
          @if(IN_REGISTERS) {
            for (var i = 0u; i < M_PER_THREAD * HELD_TAPS; i++) { // @unroll
              totals[i] += sums[i];
              sums[i] = 0.0;
            }
          } @else {
            // Reads beyond the last channel and tap mean nothing. They are not stored.
            for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
              for (var r = 0u; r < FILTER_ROWS; r++) { // @unroll
                let place = tapPlace + m * extentN + r * KERNEL_WIDTH;
                if (rowsBefore + row > geometry.rowsPerBlock) {
                  for (var t = 0u; t < FILTER_COLUMNS; t++) { // @unroll
                    sums[m * HELD_TAPS + r * FILTER_COLUMNS + t] += partials[place + t];
                  }
                }
                if (!isLast) {
                  if (firstM + m < geometry.outputChannels && isRow(filterRow + r)) {
                    for (var t = 0u; t < FILTER_COLUMNS; t++) { // @unroll
                      if (isColumn(filterColumn + t)) {
                        partials[place + t] = sums[m * HELD_TAPS + r * FILTER_COLUMNS + t];
                      }
                    }
                  }
                  for (var t = 0u; t < FILTER_COLUMNS; t++) { // @unroll
                    sums[m * HELD_TAPS + r * FILTER_COLUMNS + t] = 0.0;
                  }
                }
              }
            }
          }
        }
        if (row >= endRow) {
          break;
        }
      } @else {
        break;
      }
    }
  }

  for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
    if (firstM + m < geometry.outputChannels) {
      for (var r = 0u; r < FILTER_ROWS; r++) { // @unroll
        if (isRow(filterRow + r)) {
          for (var t = 0u; t < FILTER_COLUMNS; t++) { // @unroll
            if (isColumn(filterColumn + t)) {
              let i = m * HELD_TAPS + r * FILTER_COLUMNS + t;
              partials[tapPlace + m * extentN + r * KERNEL_WIDTH + t] = totals[i] + sums[i];
            }
          }
        }
      }
      if (HAS_BIAS && channel == 0u && filterRow + filterColumn == 0u) {
        partials[firstPartial + m * extentN + geometry.inputChannels * TAPS] = biasTotals[m] + biasSums[m];
      }
    }
  }
}
