// Strips of a row, for few channels a group (depthwise layers): weight gradient.
//
//   partials[split][g, m, n] = sum over positions p of the segments of the split of dy[m, p] * patches[p, n]
//
// Each thread holds the taps of one pair of output and input channel: all of them, or FILTER_ROWS rows of a large
// filter. It walks along the segments of rows of its split, COLUMNS positions at a time. It uses each gradient for
// every tap, and each source for every position that reads it.
// m, n and partials: common/weight_gradient.wgsl. Neighbouring threads take neighbouring splits, or neighbouring
// channels (ALONG_CHANNELS).
// Dispatch: ceil(splitK * outputChannels of all groups * inputChannels * ROW_BLOCKS / 64) workgroups, folded.
import package::common::epilogue::HAS_BIAS;
import package::common::gradient::{loadGradient, loadInput};
import package::common::grid::workgroupIndex;
import package::common::padding::paddedSource;
import package::common::space::flatten;
import package::common::taps::{
  isInside, KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH, DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH,
  STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};

const THREADS: u32 = 64u;
const COLUMNS: u32 = 4u; // @specialize
// Of KERNEL_DEPTH * KERNEL_HEIGHT.
const FILTER_ROWS: u32 = 3u; // @specialize
const ALONG_CHANNELS: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the partial result. On
// condition IN_REGISTERS they are added up in registers.

const ALL_ROWS: u32 = KERNEL_DEPTH * KERNEL_HEIGHT;
const ROW_BLOCKS: u32 = (ALL_ROWS + FILTER_ROWS - 1u) / FILTER_ROWS;
const SPAN: u32 = (COLUMNS - 1u) * STRIDE_WIDTH + (KERNEL_WIDTH - 1u) * DILATION_WIDTH + 1u;

struct Geometry {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  outputChannels: u32, // of a group, as inputChannels
  inputChannels: u32,
  groups: u32,
  columnBlocks: u32, // of a segment
  segments: u32, // batch * output rows of a volume * segmentsPerRow
  segmentsPerRow: u32,
  segmentsPerSplit: u32,
  segmentsPerBlock: u32,
  splitK: u32,
  threads: u32, // splitK * groups * outputChannels * inputChannels * ROW_BLOCKS
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
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (index >= geometry.threads) {
    return;
  }
  let pairs = geometry.groups * geometry.outputChannels * geometry.inputChannels;
  let split = select(index % geometry.splitK, index / pairs / ROW_BLOCKS, ALONG_CHANNELS);
  var filterRow = 0u;
  if (ROW_BLOCKS > 1u) {
    filterRow = (select(index / geometry.splitK, index / pairs, ALONG_CHANNELS) % ROW_BLOCKS) * FILTER_ROWS;
  }
  let pair = select(index / geometry.splitK / ROW_BLOCKS, index % pairs, ALONG_CHANNELS);
  let channel = pair % geometry.inputChannels;
  let outputChannel = pair / geometry.inputChannels;
  let inputBase = ((outputChannel / geometry.outputChannels) * geometry.inputChannels + channel)
    * geometry.inputStrides.y;
  let outputBase = outputChannel * geometry.outputStrides.y;

  let size = geometry.inputSize;
  let extentN = geometry.inputChannels * TAPS + select(0u, 1u, HAS_BIAS);
  let place = (split * geometry.groups * geometry.outputChannels + outputChannel) * extentN;
  let tapPlace = place + channel * TAPS + filterRow * KERNEL_WIDTH;
  // Block by block: the partial result holds what those before have summed.
  let begin = split * geometry.segmentsPerSplit;
  let end = min(geometry.segments, begin + geometry.segmentsPerSplit);
  var sums: array<f32, FILTER_ROWS * KERNEL_WIDTH>;
  var totals: array<f32, FILTER_ROWS * KERNEL_WIDTH>;
  var biasSum = 0.0;
  var biasTotal = 0.0;
  for (var first = begin; first < end; first += geometry.segmentsPerBlock) {
    for (var i = 0u; i < FILTER_ROWS * KERNEL_WIDTH; i++) { // @unroll
      sums[i] = 0.0;
    }
    biasSum = 0.0;
    let blockEnd = min(end, first + geometry.segmentsPerBlock);
    for (var segment = first; segment < blockEnd; segment++) {
      let row = segment / geometry.segmentsPerRow;
      let firstStep = (segment % geometry.segmentsPerRow) * geometry.columnBlocks;
      let height = row % geometry.outputSize.y;
      let depth = (row / geometry.outputSize.y) % geometry.outputSize.x;
      let sample = row / (geometry.outputSize.y * geometry.outputSize.x);
      let rowBase = sample * geometry.outputStrides.x + outputBase
        + flatten(vec3<u32>(depth, height, 0u), geometry.outputSize) * geometry.outputStrides.z;
      let planeBase = sample * geometry.inputStrides.x + inputBase;
      let origin = vec3<i32>(vec3<u32>(depth * STRIDE_DEPTH, height * STRIDE_HEIGHT, 0u)) - geometry.padBegin;
      for (var step = 0u; step < geometry.columnBlocks; step++) {
        let firstColumn = (firstStep + step) * COLUMNS;
        var gradients: array<f32, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          let column = firstColumn + j;
          gradients[j] = loadGradient(rowBase + column * geometry.outputStrides.z, column < geometry.outputSize.z);
          biasSum += gradients[j];
        }
        var places: array<u32, SPAN>;
        for (var i = 0u; i < SPAN; i++) { // @unroll
          places[i] = paddedSource(i32(firstColumn * STRIDE_WIDTH + i) + origin.z, size.z);
        }
        for (var r = 0u; r < FILTER_ROWS; r++) { // @unroll
          let tapRow = min(filterRow + r, ALL_ROWS - 1u);
          let d = paddedSource(origin.x + i32((tapRow / KERNEL_HEIGHT) * DILATION_DEPTH), size.x);
          let h = paddedSource(origin.y + i32((tapRow % KERNEL_HEIGHT) * DILATION_HEIGHT), size.y);
          if (isInside(vec3<u32>(d, h, 0u), size)) {
            let base = planeBase + flatten(vec3<u32>(d, h, 0u), size) * geometry.inputStrides.z;
            var values: array<f32, SPAN>;
            for (var i = 0u; i < SPAN; i++) { // @unroll
              values[i] = loadInput(base + places[i] * geometry.inputStrides.z, places[i] < size.z);
            }
            for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
              for (var j = 0u; j < COLUMNS; j++) { // @unroll
                sums[r * KERNEL_WIDTH + kw] += gradients[j] * values[j * STRIDE_WIDTH + kw * DILATION_WIDTH];
              }
            }
          }
        }
      }
    }

    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < FILTER_ROWS * KERNEL_WIDTH; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
        biasTotal += biasSum;
        biasSum = biasTotal;
      } @else {
        // The last rows may lie beyond the filter: what is read there means nothing, and is not stored.
        for (var r = 0u; r < FILTER_ROWS; r++) { // @unroll
          if (first > begin) {
            for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
              sums[r * KERNEL_WIDTH + kw] += partials[tapPlace + r * KERNEL_WIDTH + kw];
            }
          }
          if (blockEnd < end && filterRow + r < ALL_ROWS) {
            for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
              partials[tapPlace + r * KERNEL_WIDTH + kw] = sums[r * KERNEL_WIDTH + kw];
            }
          }
        }
        biasTotal += biasSum;
        biasSum = biasTotal;
      }
    } @else {
      break;
    }
  }

  for (var r = 0u; r < FILTER_ROWS; r++) { // @unroll
    // The last block may have rows beyond the filter.
    if (filterRow + r < ALL_ROWS) {
      for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
        partials[tapPlace + r * KERNEL_WIDTH + kw] = sums[r * KERNEL_WIDTH + kw];
      }
    }
  }
  if (HAS_BIAS && channel == 0u && filterRow == 0u) {
    partials[place + extentN - 1u] = biasSum;
  }
}
