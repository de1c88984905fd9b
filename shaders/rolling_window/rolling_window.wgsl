// Rolling windows, for few channels a group (depthwise layers): forward pass and input gradient.
//
//   result[n, r, p] = sum over source channels s of the group and taps t of
//                     weight[r, s, t] * source[n, s, p * stride + t * dilation - padding]
//
// Each thread walks down COLUMNS neighbouring columns of results, in M_PER_THREAD result channels. It reads all
// CHANNELS source channels of the group, and keeps the sources below the filter: from row to row those that stay move
// up, and only the new ones are loaded. Weights are loaded once. A picture: src/solvers/rollingWindow. An input
// gradient gathers with the filter flipped (FLIPPED); the host gives the padding for that.
//
// The input gradient of a layer with a stride is taken in phases: every RESULT_STRIDE-th result reads the same taps,
// every RESULT_STRIDE-th of the filter from a first one on. Such results are those of a filter of these taps at stride
// 1. A thread walks over one phase.
// Neighbouring threads take neighbouring columns of a channel, or neighbouring channels (ALONG_CHANNELS).
// Dispatch: ceil(batch * groups * tilesM * phases * rowBlocks * columnBlocks / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::padding::{paddedSource, PADDING_MODE};
import package::common::result::storeResult;
import package::common::source::sourceAt;
import package::common::taps::{
  KERNEL_HEIGHT, KERNEL_WIDTH, DILATION_HEIGHT, DILATION_WIDTH, STRIDE_HEIGHT, STRIDE_WIDTH
};

const THREADS: u32 = 64u;
const M_PER_THREAD: u32 = 1u; // @specialize
const COLUMNS: u32 = 4u; // @specialize
const CHANNELS: u32 = 1u; // @specialize
const FLIPPED: bool = false; // @specialize
const ALONG_CHANNELS: bool = false; // @specialize
// Positions of a row of sources lie side by side: loads then differ by a constant.
const CONTIGUOUS: bool = false; // @specialize
// More than there are: a loop with a constant bound and a break needs no guard counter.
const MOST_TURNS: u32 = 0x40000000u;
// The stride of an input gradient's layer. Where it is above 1, STRIDE and DILATION are 1.
const RESULT_STRIDE_HEIGHT: u32 = 1u; // @specialize
const RESULT_STRIDE_WIDTH: u32 = 1u; // @specialize
// RESULT_STRIDE, but no more than there are results along the axis.
const PHASES_HEIGHT: u32 = 1u; // @specialize
const PHASES_WIDTH: u32 = 1u; // @specialize

const PHASES: u32 = PHASES_HEIGHT * PHASES_WIDTH;
const PHASED: bool = RESULT_STRIDE_HEIGHT > 1u || RESULT_STRIDE_WIDTH > 1u;
// Taps that a result reads, at most.
const TAPS_HEIGHT: u32 = (KERNEL_HEIGHT + RESULT_STRIDE_HEIGHT - 1u) / RESULT_STRIDE_HEIGHT;
const TAPS_WIDTH: u32 = (KERNEL_WIDTH + RESULT_STRIDE_WIDTH - 1u) / RESULT_STRIDE_WIDTH;
const TAPS: u32 = TAPS_HEIGHT * TAPS_WIDTH;
const HEIGHT: u32 = (TAPS_HEIGHT - 1u) * DILATION_HEIGHT + 1u;
const WIDTH: u32 = (COLUMNS - 1u) * STRIDE_WIDTH + (TAPS_WIDTH - 1u) * DILATION_WIDTH + 1u;
// Rows of the window that a step keeps; it loads as many as the stride.
const KEPT: u32 = HEIGHT - STRIDE_HEIGHT;
const FILLING: u32 = (KEPT + STRIDE_HEIGHT - 1u) / STRIDE_HEIGHT;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>, // of the gather; in phases the layer's
  columnBlocks: u32,
  rowBlocks: u32,
  rows: u32, // of a thread
  tilesM: u32, // ceil(resultChannels / M_PER_THREAD)
  resultChannels: u32, // per group
  groups: u32,
  threads: u32, // batch * groups * tilesM * phases * rowBlocks * columnBlocks
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;

// The weight of place `k` of the window. It is 0 where the phase has fewer taps than others (an infinite source makes
// NaN of it, as an infinite weight does of padding).
fn factorAt(base: u32, k: u32, first: vec2<u32>) -> f32 {
  let place = vec2<u32>(k / TAPS_WIDTH, k % TAPS_WIDTH);
  let turned = vec2<u32>(TAPS_HEIGHT, TAPS_WIDTH) - 1u - place;
  let tap = first + select(place, turned, FLIPPED) * vec2<u32>(RESULT_STRIDE_HEIGHT, RESULT_STRIDE_WIDTH);
  let number = min(tap.x * KERNEL_WIDTH + tap.y, KERNEL_HEIGHT * KERNEL_WIDTH - 1u);
  let value = f32(weight[base + number * geometry.weightStrides.z]);
  return select(0.0, value, !PHASED || (tap.x < KERNEL_HEIGHT && tap.y < KERNEL_WIDTH));
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
  let planes = geometry.tilesM * geometry.groups;
  let place = select(index, index / planes, ALONG_CHANNELS);
  let firstColumn = (place % geometry.columnBlocks) * COLUMNS;
  let strip = place / geometry.columnBlocks;
  let firstRow = (strip % geometry.rowBlocks) * geometry.rows;
  let phased = strip / geometry.rowBlocks;
  let outer = phased / PHASES;
  let plane = select(outer, index, ALONG_CHANNELS) % planes;
  let firstM = (plane % geometry.tilesM) * M_PER_THREAD;
  let group = plane / geometry.tilesM;
  let sample = select(outer / planes, outer, ALONG_CHANNELS);

  let resultStride = vec2<u32>(RESULT_STRIDE_HEIGHT, RESULT_STRIDE_WIDTH);
  let phase = vec2<u32>((phased / PHASES_WIDTH) % PHASES_HEIGHT, phased % PHASES_WIDTH);
  var firstTap: vec2<u32>;
  var padding = geometry.padBegin.yz;
  if (PHASED) {
    // The remainder is never negative, though padding may be.
    let padded = vec2<i32>(phase) + geometry.padBegin.yz;
    let remainder = (padded % vec2<i32>(resultStride) + vec2<i32>(resultStride)) % vec2<i32>(resultStride);
    firstTap = vec2<u32>(remainder);
    padding = vec2<i32>(vec2<u32>(TAPS_HEIGHT, TAPS_WIDTH) - 1u) - (padded - remainder) / vec2<i32>(resultStride);
  }

  let size = geometry.sourceSize;
  let left = i32(firstColumn * STRIDE_WIDTH) - padding.y;
  let sourceBase = sample * geometry.sourceStrides.x + group * CHANNELS * geometry.sourceStrides.y;
  let sourceStep = select(geometry.sourceStrides.z, 1u, CONTIGUOUS);
  // A bit for each column of the window that meets the source.
  var insideBits = 0u;
  for (var x = 0u; x < WIDTH; x++) { // @unroll
    insideBits |= select(0u, 1u << x, paddedSource(left + i32(x), size.z) < size.z);
  }
  var factors: array<f32, M_PER_THREAD * CHANNELS * TAPS>;
  for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
    let channel = min(firstM + m, geometry.resultChannels - 1u);
    let filterBase = group * geometry.weightGroupStride + channel * geometry.weightStrides.x;
    for (var c = 0u; c < CHANNELS; c++) { // @unroll
      for (var k = 0u; k < TAPS; k++) { // @unroll
        factors[(m * CHANNELS + c) * TAPS + k] = factorAt(filterBase + c * geometry.weightStrides.y, k, firstTap);
      }
    }
  }

  // A zero that compilers do not know: they drop the known one, and a sum of negative zeros keeps their sign.
  let zero = f32(geometry.threads >> 31u);
  // The first steps only fill the window.
  let phaseRows = (geometry.resultSize.y + RESULT_STRIDE_HEIGHT - 1u) / RESULT_STRIDE_HEIGHT;
  let rows = min(geometry.rows, phaseRows - firstRow);
  var next = i32((firstRow - FILLING) * STRIDE_HEIGHT + KEPT) - padding.x;
  var window: array<f32, CHANNELS * HEIGHT * WIDTH>;
  for (var step = 0u; step < MOST_TURNS; step++) {
    if (step >= FILLING + rows) {
      break;
    }
    // Places beyond the edges are read, too: what they hold means nothing, and is left out.
    for (var y = 0u; y < STRIDE_HEIGHT; y++) { // @unroll
      let h = paddedSource(next + i32(y), size.y);
      let rowPlace = sourceBase + h * size.z * sourceStep;
      let rowBits = select(0u, insideBits, h < size.y);
      for (var c = 0u; c < CHANNELS; c++) { // @unroll
        let channelPlace = rowPlace + c * geometry.sourceStrides.y;
        let leftPlace = channelPlace + u32(left) * sourceStep;
        for (var x = 0u; x < WIDTH; x++) { // @unroll
          var place = leftPlace + x * sourceStep;
          if (PADDING_MODE != 0u) {
            place = channelPlace + paddedSource(left + i32(x), size.z) * sourceStep;
          }
          let bit = rowBits & (1u << x);
          window[(c * HEIGHT + KEPT + y) * WIDTH + x] = select(0.0, sourceAt(place), bit != 0u);
        }
      }
    }
    if (step >= FILLING) {
      let row = (firstRow + step - FILLING) * RESULT_STRIDE_HEIGHT + phase.x;
      for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
        // Set, and not left to the declaration: SwiftShader then has the zeros once, and not at each turn of the loop.
        var sums: array<f32, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          sums[j] = zero;
        }
        for (var c = 0u; c < CHANNELS; c++) { // @unroll
          for (var kh = 0u; kh < TAPS_HEIGHT; kh++) { // @unroll
            for (var kw = 0u; kw < TAPS_WIDTH; kw++) { // @unroll
              let factor = factors[(m * CHANNELS + c) * TAPS + kh * TAPS_WIDTH + kw];
              for (var j = 0u; j < COLUMNS; j++) { // @unroll
                sums[j] += factor
                  * window[(c * HEIGHT + kh * DILATION_HEIGHT) * WIDTH + j * STRIDE_WIDTH + kw * DILATION_WIDTH];
              }
            }
          }
        }
        if (firstM + m < geometry.resultChannels) {
          let channel = group * geometry.resultChannels + firstM + m;
          let base = sample * geometry.resultStrides.x + channel * geometry.resultStrides.y;
          @if(VECTOR_RESULT) {
            for (var v = 0u; v < COLUMNS / 4u; v++) { // @unroll
              let column = firstColumn + v * 4u;
              if (column < geometry.resultSize.z) {
                let first = v * 4u;
                let sum = vec4<f32>(sums[first], sums[first + 1u], sums[first + 2u], sums[first + 3u]);
                storeResult(sum, channel, (base + row * geometry.resultSize.z + column) / 4u, 0u);
              }
            }
          } @else {
            let first = firstColumn * RESULT_STRIDE_WIDTH + phase.y;
            let place = base + (row * geometry.resultSize.z + first) * geometry.resultStrides.z;
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              let further = j * RESULT_STRIDE_WIDTH;
              if ((first + further < geometry.resultSize.z) & (!PHASED || row < geometry.resultSize.y)) {
                storeResult(sums[j], channel, place + further * geometry.resultStrides.z, 0u);
              }
            }
          }
        }
      }
    }
    for (var c = 0u; c < CHANNELS; c++) { // @unroll
      for (var i = 0u; i < KEPT * WIDTH; i++) { // @unroll
        window[c * HEIGHT * WIDTH + i] = window[(c * HEIGHT + STRIDE_HEIGHT) * WIDTH + i];
      }
    }
    next += i32(STRIDE_HEIGHT);
  }
}
