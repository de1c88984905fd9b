// Strips of a row, for few channels a group (depthwise layers): forward pass, and input gradient at stride 1.
//
//   result[n, r, p] = sum over source channels s of the group and taps t of
//                     weight[r, s, t] * source[n, s, p * stride + t * dilation - padding]
//
// Each thread holds COLUMNS neighbouring results of a row, in M_PER_THREAD result channels. For each row of the filter,
// or FILTER_COLUMNS taps of a long one, it loads the strip of sources that they read once. It uses each value for every
// tap and result that reads it. A picture: src/solvers/strip. An input gradient gathers with the filter flipped
// (FLIPPED); the host gives the padding for that. Neighbouring threads take neighbouring columns of a channel, or
// neighbouring channels (ALONG_CHANNELS).
// Dispatch: ceil(splitK * batch * groups * tilesM * rows * columnBlocks / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::padding::{paddedSource, PADDING_MODE};
import package::common::result::{result, storeResult, Result};
import package::common::source::sourceAt;
import package::common::space::flatten;
import package::common::taps::{
  isInside, KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH, DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH,
  STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};

const THREADS: u32 = 64u;
const M_PER_THREAD: u32 = 1u; // @specialize
const COLUMNS: u32 = 4u; // @specialize
const FILTER_COLUMNS: u32 = 3u; // @specialize
const FLIPPED: bool = false; // @specialize
// Positions of a row of sources lie side by side; likewise taps. Loads then differ by a constant.
const CONTIGUOUS: bool = false; // @specialize
const CONTIGUOUS_TAPS: bool = false; // @specialize
const ALONG_CHANNELS: bool = false; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.

const SPAN: u32 = (COLUMNS - 1u) * STRIDE_WIDTH + (FILTER_COLUMNS - 1u) * DILATION_WIDTH + 1u;
const BIT_WORDS: u32 = (SPAN + 31u) / 32u;
// Parts of a row of the filter; a step of a sum takes one.
const PARTS: u32 = (KERNEL_WIDTH + FILTER_COLUMNS - 1u) / FILTER_COLUMNS;
// More than there are: a loop with a constant bound and a break needs no guard counter.
const MOST_TURNS: u32 = 0x40000000u;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  columnBlocks: u32,
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  tilesM: u32, // ceil(resultChannels / M_PER_THREAD)
  threadsPerSplit: u32, // batch * groups * tilesM * rows of a volume * columnBlocks
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  chunks: u32, // of the channels: a step of a sum takes one of a part of the filter
  chunkChannels: u32,
  stepsPerBlock: u32,
  blocks: u32,
  blocksPerSplit: u32,
  resultElements: u32, // from one partial result to the next
  threads: u32, // of all splits
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;

// A bit for each value of a strip, from number `first` on, that lies in a row of so many sources.
fn insideBits(first: u32, left: i32, size: u32) -> u32 {
  if (PADDING_MODE == 0u) {
    return bitsBelow(i32(size) - left - i32(first)) & ~bitsBelow(-left - i32(first));
  }
  var bits = 0u;
  for (var i = 0u; i < 32u; i++) {
    bits |= select(0u, 1u << i, paddedSource(left + i32(first + i), size) < size);
  }
  return bits;
}

// So many of a word's lowest bits: all of them from 32 on, none from 0 down.
fn bitsBelow(count: i32) -> u32 {
  let few = (1u << u32(clamp(count, 0, 31))) - 1u;
  return select(few, 0xffffffffu, count > 31);
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
  var strip = index;
  var firstBlock = 0u;
  var blocks = geometry.blocks;
  var firstResult = 0u;
  if (SPLIT_K) {
    let split = index / geometry.threadsPerSplit;
    strip = index % geometry.threadsPerSplit;
    firstBlock = split * geometry.blocksPerSplit;
    blocks = min(blocks, firstBlock + geometry.blocksPerSplit);
    firstResult = split * geometry.resultElements;
  }
  let planes = geometry.tilesM * geometry.groups;
  let place = select(strip, strip / planes, ALONG_CHANNELS);
  let firstColumn = (place % geometry.columnBlocks) * COLUMNS;
  let volumeRow = place / geometry.columnBlocks;
  let row = volumeRow % geometry.resultSize.y;
  let depth = (volumeRow / geometry.resultSize.y) % geometry.resultSize.x;
  let outer = volumeRow / (geometry.resultSize.y * geometry.resultSize.x);
  let plane = select(outer, strip, ALONG_CHANNELS) % planes;
  let firstM = (plane % geometry.tilesM) * M_PER_THREAD;
  let group = plane / geometry.tilesM;
  let sample = select(outer / planes, outer, ALONG_CHANNELS);

  let size = geometry.sourceSize;
  let corner = vec3<u32>(depth * STRIDE_DEPTH, row * STRIDE_HEIGHT, firstColumn * STRIDE_WIDTH);
  let origin = vec3<i32>(corner) - geometry.padBegin;
  let sourceStep = select(geometry.sourceStrides.z, 1u, CONTIGUOUS);
  let tapStep = select(geometry.weightStrides.z, 1u, CONTIGUOUS_TAPS);
  let sourceBase = sample * geometry.sourceStrides.x + group * geometry.sourceChannels * geometry.sourceStrides.y;
  let weightBase = group * geometry.weightGroupStride + firstM * geometry.weightStrides.x;
  var bits: array<u32, BIT_WORDS>;
  for (var i = 0u; i < BIT_WORDS; i++) { // @unroll
    bits[i] = insideBits(i * 32u, origin.z, size.z);
  }
  let resultBase = sample * geometry.resultStrides.x
    + flatten(vec3<u32>(depth, row, firstColumn), geometry.resultSize) * geometry.resultStrides.z;
  // Block by block, of so many steps: some channels of a part of the filter, and then the next. The result holds what
  // blocks before have summed. What is read beyond a buffer or the last channel means nothing, and is left out.
  var sums: array<f32, M_PER_THREAD * COLUMNS>;
  var totals: array<f32, M_PER_THREAD * COLUMNS>;
  var filterPart = firstBlock * geometry.stepsPerBlock / geometry.chunks;
  var firstChannel = firstBlock * geometry.stepsPerBlock % geometry.chunks * geometry.chunkChannels;
  for (var blockIndex = firstBlock; blockIndex < MOST_TURNS; blockIndex++) {
    if (blockIndex >= blocks) {
      break;
    }
    for (var i = 0u; i < M_PER_THREAD * COLUMNS; i++) { // @unroll
      sums[i] = 0.0;
    }
    for (var step = 0u; step < MOST_TURNS; step++) {
      if ((step >= geometry.stepsPerBlock) | (filterPart >= KERNEL_DEPTH * KERNEL_HEIGHT * PARTS)) {
        break;
      }
      let filterRow = filterPart / PARTS;
      let firstPlace = (filterPart % PARTS) * FILTER_COLUMNS;
      let d = paddedSource(origin.x + i32((filterRow / KERNEL_HEIGHT) * DILATION_DEPTH), size.x);
      let h = paddedSource(origin.y + i32((filterRow % KERNEL_HEIGHT) * DILATION_HEIGHT), size.y);
      if (isInside(vec3<u32>(d, h, 0u), size)) {
        let left = origin.z + i32(firstPlace * DILATION_WIDTH);
        if (PARTS > 1u) {
          for (var i = 0u; i < BIT_WORDS; i++) { // @unroll
            bits[i] = insideBits(i * 32u, left, size.z);
          }
        }
        let channels = min(geometry.chunkChannels, geometry.sourceChannels - firstChannel);
        let firstTap = filterRow * KERNEL_WIDTH + firstPlace;
        var rowPlace = sourceBase + flatten(vec3<u32>(d, h, 0u), size) * sourceStep
          + firstChannel * geometry.sourceStrides.y;
        var weightPlace = weightBase + firstChannel * geometry.weightStrides.y
          + select(firstTap, TAPS - 1u - firstTap, FLIPPED) * tapStep;
        for (var c = 0u; c < MOST_TURNS; c++) {
          if (c >= channels) {
            break;
          }
          let leftPlace = rowPlace + u32(left) * sourceStep;
          var values: array<f32, SPAN>;
          for (var i = 0u; i < SPAN; i++) { // @unroll
            var place = leftPlace + i * sourceStep;
            if (PADDING_MODE != 0u) {
              place = rowPlace + paddedSource(left + i32(i), size.z) * sourceStep;
            }
            let bit = bits[i / 32u] & (1u << (i % 32u));
            values[i] = select(0.0, sourceAt(place), bit != 0u);
          }
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            for (var t = 0u; t < FILTER_COLUMNS; t++) { // @unroll
              // The last part may lack its last taps.
              if ((PARTS - 1u) * FILTER_COLUMNS + t < KERNEL_WIDTH || firstPlace + t < KERNEL_WIDTH) {
                let tap = select(t * tapStep, 0u - t * tapStep, FLIPPED);
                let factor = f32(weight[weightPlace + m * geometry.weightStrides.x + tap]);
                for (var j = 0u; j < COLUMNS; j++) { // @unroll
                  sums[m * COLUMNS + j] += factor * values[j * STRIDE_WIDTH + t * DILATION_WIDTH];
                }
              }
            }
          }
          rowPlace += geometry.sourceStrides.y;
          weightPlace += geometry.weightStrides.y;
        }
      }
      firstChannel += geometry.chunkChannels;
      if (firstChannel >= geometry.sourceChannels) {
        firstChannel = 0u;
        filterPart++;
      }
    }
    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < M_PER_THREAD * COLUMNS; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        // Reads beyond the last channel and column mean nothing. They are not stored.
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          let exists = blockIndex + 1u < blocks && firstM + m < geometry.resultChannels;
          let channel = group * geometry.resultChannels + firstM + m;
          let base = firstResult + resultBase + channel * geometry.resultStrides.y;
          @if(VECTOR_RESULT) {
            for (var v = 0u; v < COLUMNS / 4u; v++) { // @unroll
              let first = m * COLUMNS + v * 4u;
              var sum = vec4<f32>(sums[first], sums[first + 1u], sums[first + 2u], sums[first + 3u]);
              if (blockIndex > firstBlock) {
                sum += vec4<f32>(result[base / 4u + v]);
                for (var j = 0u; j < 4u; j++) { // @unroll
                  sums[first + j] = sum[j];
                }
              }
              if (exists && firstColumn + v * 4u < geometry.resultSize.z) {
                result[base / 4u + v] = Result(sum);
              }
            }
          } @else {
            if (blockIndex > firstBlock) {
              for (var j = 0u; j < COLUMNS; j++) { // @unroll
                sums[m * COLUMNS + j] += f32(result[base + j * geometry.resultStrides.z]);
              }
            }
            if (exists) {
              for (var j = 0u; j < COLUMNS; j++) { // @unroll
                if (firstColumn + j < geometry.resultSize.z) {
                  result[base + j * geometry.resultStrides.z] = Result(sums[m * COLUMNS + j]);
                }
              }
            }
          }
        }
      }
    } @else {
      break;
    }
  }

  for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
    if (firstM + m < geometry.resultChannels) {
      let channel = group * geometry.resultChannels + firstM + m;
      let base = resultBase + channel * geometry.resultStrides.y;
      @if(VECTOR_RESULT) {
        for (var v = 0u; v < COLUMNS / 4u; v++) { // @unroll
          if (firstColumn + v * 4u < geometry.resultSize.z) {
            let first = m * COLUMNS + v * 4u;
            let sum = vec4<f32>(sums[first], sums[first + 1u], sums[first + 2u], sums[first + 3u]);
            storeResult(sum, channel, base / 4u + v, firstResult / 4u);
          }
        }
      } @else {
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          if (firstColumn + j < geometry.resultSize.z) {
            storeResult(sums[m * COLUMNS + j], channel, base + j * geometry.resultStrides.z, firstResult);
          }
        }
      }
    }
  }
}
