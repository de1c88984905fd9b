// Rolling windows, for few channels a group (depthwise layers): weight gradient.
//
//   partials[split][g, m, n] = sum over positions p of the output rows of the split of dy[m, p] * patches[p, n]
//
// Each thread holds all taps of one input channel, for M_PER_THREAD output channels of its group. It walks down the
// rows of its split, COLUMNS columns at a time, and keeps the inputs below the filter: from row to row those that stay
// move up, and only the new ones are loaded. Where another sample begins, all of them are loaded. m, n and partials:
// common/weight_gradient.wgsl. Neighbouring threads take neighbouring splits, or
// neighbouring channels (ALONG_CHANNELS).
// Dispatch: ceil(splitK * groups * tilesM * inputChannels / 64) workgroups, folded.
import package::common::epilogue::HAS_BIAS;
import package::common::gradient::{loadGradient, loadInput};
import package::common::grid::workgroupIndex;
import package::common::padding::paddedSource;
import package::common::taps::{
  KERNEL_HEIGHT, KERNEL_WIDTH, DILATION_HEIGHT, DILATION_WIDTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};

const THREADS: u32 = 64u;
const M_PER_THREAD: u32 = 1u; // @specialize
const COLUMNS: u32 = 4u; // @specialize
// Long rows are cut into segments. Otherwise all threads are at the same columns.
const SEGMENTED: bool = false; // @specialize
const ALONG_CHANNELS: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the partial result. On
// condition IN_REGISTERS they are added up in registers.

const HEIGHT: u32 = (KERNEL_HEIGHT - 1u) * DILATION_HEIGHT + 1u;
const WIDTH: u32 = (COLUMNS - 1u) * STRIDE_WIDTH + (KERNEL_WIDTH - 1u) * DILATION_WIDTH + 1u;
const KEPT: u32 = (HEIGHT - 1u) * WIDTH;

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
  threads: u32, // splitK * groups * tilesM * inputChannels
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

// Where an output channel begins in a partial result.
fn partialPlace(split: u32, group: u32, channel: u32) -> u32 {
  let extentN = geometry.inputChannels * TAPS + select(0u, 1u, HAS_BIAS);
  return ((split * geometry.groups + group) * geometry.outputChannels + channel) * extentN;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (index >= geometry.threads) {
    return;
  }
  let tasks = geometry.threads / geometry.splitK;
  let split = select(index % geometry.splitK, index / tasks, ALONG_CHANNELS);
  let task = select(index / geometry.splitK, index % tasks, ALONG_CHANNELS);
  let channel = task % geometry.inputChannels;
  let channelTask = task / geometry.inputChannels;
  let firstM = (channelTask % geometry.tilesM) * M_PER_THREAD;
  let group = channelTask / geometry.tilesM;
  let inputBase = (group * geometry.inputChannels + channel) * geometry.inputStrides.y;
  let outputBase = (group * geometry.outputChannels + firstM) * geometry.outputStrides.y;

  let size = geometry.inputSize;
  var segmentStart = 0u;
  var firstRow = split * geometry.rowsPerSplit;
  if (SEGMENTED) {
    segmentStart = (split % geometry.segmentsPerRow) * geometry.columnBlocks * COLUMNS;
    firstRow = (split / geometry.segmentsPerRow) * geometry.rowsPerSplit;
  }
  let rows = min(geometry.rows - firstRow, geometry.rowsPerSplit);
  // Block by block: the partial result holds what those before have summed.
  var held = 0u; // rows of a block
  var hasStored = false;
  var sums: array<f32, M_PER_THREAD * TAPS>;
  var biasSums: array<f32, M_PER_THREAD>;
  var totals: array<f32, M_PER_THREAD * TAPS>;
  var biasTotals: array<f32, M_PER_THREAD>;
  for (var step = 0u; step < geometry.columnBlocks; step++) {
    let firstColumn = segmentStart + step * COLUMNS;
    var columns: array<u32, WIDTH>;
    for (var x = 0u; x < WIDTH; x++) { // @unroll
      columns[x] = paddedSource(i32(firstColumn * STRIDE_WIDTH + x) - geometry.padBegin.z, size.z);
    }
    var sample = firstRow / geometry.outputSize.y;
    var height = firstRow % geometry.outputSize.y;
    var fresh = HEIGHT;
    var window: array<f32, HEIGHT * WIDTH>;
    for (var row = 0u; row < rows; row++) {
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
      let rowBase = sample * geometry.outputStrides.x + outputBase
        + (height * geometry.outputSize.z + firstColumn) * geometry.outputStrides.z;
      for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
        var gradients: array<f32, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          let inside = (firstColumn + j < geometry.outputSize.z) & (firstM + m < geometry.outputChannels);
          gradients[j] = loadGradient(rowBase + m * geometry.outputStrides.y + j * geometry.outputStrides.z, inside);
          biasSums[m] += gradients[j];
        }
        for (var kh = 0u; kh < KERNEL_HEIGHT; kh++) { // @unroll
          for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              sums[m * TAPS + kh * KERNEL_WIDTH + kw] += gradients[j]
                * window[kh * DILATION_HEIGHT * WIDTH + j * STRIDE_WIDTH + kw * DILATION_WIDTH];
            }
          }
        }
      }
      @if(BLOCKED) {
        held++;
        if (held == geometry.rowsPerBlock) {
          held = 0u;
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            biasTotals[m] += biasSums[m];
            biasSums[m] = 0.0;
          }
          @if(IN_REGISTERS) {
            for (var i = 0u; i < M_PER_THREAD * TAPS; i++) { // @unroll
              totals[i] += sums[i];
              sums[i] = 0.0;
            }
          } @else {
            // Reads beyond the last channel mean nothing. They are not stored.
            for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
              for (var kh = 0u; kh < KERNEL_HEIGHT; kh++) { // @unroll
                let place = partialPlace(split, group, firstM + m) + channel * TAPS + kh * KERNEL_WIDTH;
                if (hasStored) {
                  for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
                    sums[m * TAPS + kh * KERNEL_WIDTH + kw] += partials[place + kw];
                  }
                }
                if (firstM + m < geometry.outputChannels) {
                  for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
                    partials[place + kw] = sums[m * TAPS + kh * KERNEL_WIDTH + kw];
                  }
                }
              }
            }
            for (var i = 0u; i < M_PER_THREAD * TAPS; i++) { // @unroll
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

  for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
    if (firstM + m < geometry.outputChannels) {
      let place = partialPlace(split, group, firstM + m);
      for (var tap = 0u; tap < TAPS; tap++) { // @unroll
        var sum = sums[m * TAPS + tap];
        @if(BLOCKED) {
          @if(IN_REGISTERS) {
            sum += totals[m * TAPS + tap];
          } @else {
            if (hasStored) {
              sum += partials[place + channel * TAPS + tap];
            }
          }
        }
        partials[place + channel * TAPS + tap] = sum;
      }
      if (HAS_BIAS && channel == 0u) {
        partials[place + geometry.inputChannels * TAPS] = biasTotals[m] + biasSums[m];
      }
    }
  }
}
