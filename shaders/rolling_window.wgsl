// Convolution by rolling windows, for few channels a group (depthwise layers): forward pass, and input gradient at stride 1.
//
//   result[n, r, p] = sum over source channels s of the group and taps k of weight[r, s, k] * source[n, s, p * S + k * D - P]
//
// Each thread walks down COLUMNS neighbouring columns of results, in ROWS result channels, and meets all CHANNELS source
// channels of the group. It keeps the sources below the filter: from line to line those that stay move up, and only the new
// ones are loaded. Weights are loaded once. An input gradient gathers with the filter flipped (FLIPPED), and the host's padding is what that takes.
// Dispatch: ceil(batch * groups * rowBlocks * lineBlocks * columnBlocks / 64) workgroups, folded.
import package::common::element::Element;
import package::common::epilogue::{activate, maskGradient, HAS_BIAS, HAS_RESIDUAL, MASKED};
import package::common::grid::workgroupIndex;
import package::common::padding::paddedSource;
import package::common::taps::{
  KERNEL_HEIGHT, KERNEL_WIDTH, DILATION_HEIGHT, DILATION_WIDTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};

const THREADS: u32 = 64u;
const ROWS: u32 = 1u; // @specialize
const COLUMNS: u32 = 4u; // @specialize
const CHANNELS: u32 = 1u; // @specialize
const FLIPPED: bool = false; // @specialize

const HEIGHT: u32 = (KERNEL_HEIGHT - 1u) * DILATION_HEIGHT + 1u;
const WIDTH: u32 = (COLUMNS - 1u) * STRIDE_WIDTH + (KERNEL_WIDTH - 1u) * DILATION_WIDTH + 1u;
// Lines of the window that a step keeps; it loads as many as the stride.
const KEPT: u32 = HEIGHT - STRIDE_HEIGHT;
const FILLING: u32 = (KEPT + STRIDE_HEIGHT - 1u) / STRIDE_HEIGHT;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  columnBlocks: u32,
  lineBlocks: u32,
  lines: u32, // of a thread
  rowBlocks: u32, // ceil(resultChannels / ROWS)
  resultChannels: u32, // per group
  groups: u32,
  walks: u32, // batch * groups * rowBlocks * lineBlocks * columnBlocks
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read> activated: array<Element>;
@group(0) @binding(5) var<storage, read> residual: array<Element>;
@group(0) @binding(6) var<storage, read_write> result: array<Element>;

fn loadSource(offset: u32, inside: bool) -> f32 {
  let place = select(0u, offset, inside);
  if (MASKED) {
    return select(0.0, maskGradient(f32(source[place]), f32(activated[place])), inside);
  }
  return select(0.0, f32(source[place]), inside);
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
  let firstColumn = (walk % geometry.columnBlocks) * COLUMNS;
  let strip = walk / geometry.columnBlocks;
  let firstLine = (strip % geometry.lineBlocks) * geometry.lines;
  let plane = strip / geometry.lineBlocks;
  let firstRow = (plane % geometry.rowBlocks) * ROWS;
  let group = (plane / geometry.rowBlocks) % geometry.groups;
  let sample = plane / (geometry.rowBlocks * geometry.groups);

  let size = geometry.sourceSize;
  let left = i32(firstColumn * STRIDE_WIDTH) - geometry.padBegin.z;
  let sourceBase = sample * geometry.sourceStrides.x + group * CHANNELS * geometry.sourceStrides.y;
  var columns: array<u32, WIDTH>;
  var columnPlaces: array<u32, WIDTH>;
  for (var x = 0u; x < WIDTH; x++) { // @unroll
    columns[x] = paddedSource(left + i32(x), size.z);
    columnPlaces[x] = sourceBase + columns[x] * geometry.sourceStrides.z;
  }
  var factors: array<f32, ROWS * CHANNELS * TAPS>;
  for (var r = 0u; r < ROWS; r++) { // @unroll
    let row = min(firstRow + r, geometry.resultChannels - 1u);
    let filterBase = group * geometry.weightGroupStride + row * geometry.weightStrides.x;
    for (var c = 0u; c < CHANNELS; c++) { // @unroll
      for (var k = 0u; k < TAPS; k++) { // @unroll
        let tap = c * geometry.weightStrides.y + select(k, TAPS - 1u - k, FLIPPED) * geometry.weightStrides.z;
        factors[(r * CHANNELS + c) * TAPS + k] = f32(weight[filterBase + tap]);
      }
    }
  }

  // A zero that compilers do not know: they drop the known one, and a sum of negative zeros keeps their sign.
  let zero = f32(geometry.walks >> 31u);
  // The first steps only fill the window.
  let linePitch = size.z * geometry.sourceStrides.z;
  let lines = min(geometry.lines, geometry.resultSize.y - firstLine);
  var next = i32((firstLine - FILLING) * STRIDE_HEIGHT + KEPT) - geometry.padBegin.y;
  var window: array<f32, CHANNELS * HEIGHT * WIDTH>;
  for (var step = 0u; step < FILLING + lines; step++) {
    for (var y = 0u; y < STRIDE_HEIGHT; y++) { // @unroll
      let h = paddedSource(next + i32(y), size.y);
      for (var c = 0u; c < CHANNELS; c++) { // @unroll
        let line = h * linePitch + c * geometry.sourceStrides.y;
        for (var x = 0u; x < WIDTH; x++) { // @unroll
          window[(c * HEIGHT + KEPT + y) * WIDTH + x]
            = loadSource(columnPlaces[x] + line, (h < size.y) & (columns[x] < size.z));
        }
      }
    }
    if (step >= FILLING) {
      let line = firstLine + step - FILLING;
      for (var r = 0u; r < ROWS; r++) { // @unroll
        // Set, and not left to the declaration: SwiftShader then has the zeros once, and not at each turn of the loop.
        var sums: array<f32, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          sums[j] = zero;
        }
        for (var c = 0u; c < CHANNELS; c++) { // @unroll
          for (var kh = 0u; kh < KERNEL_HEIGHT; kh++) { // @unroll
            for (var kw = 0u; kw < KERNEL_WIDTH; kw++) { // @unroll
              let factor = factors[(r * CHANNELS + c) * TAPS + kh * KERNEL_WIDTH + kw];
              for (var j = 0u; j < COLUMNS; j++) { // @unroll
                sums[j] += factor
                  * window[(c * HEIGHT + kh * DILATION_HEIGHT) * WIDTH + j * STRIDE_WIDTH + kw * DILATION_WIDTH];
              }
            }
          }
        }
        if (firstRow + r < geometry.resultChannels) {
          let channel = group * geometry.resultChannels + firstRow + r;
          let base = sample * geometry.resultStrides.x + channel * geometry.resultStrides.y;
          for (var j = 0u; j < COLUMNS; j++) { // @unroll
            if (firstColumn + j < geometry.resultSize.z) {
              var sum = sums[j];
              if (HAS_BIAS) {
                sum += f32(bias[channel]);
              }
              let place = base + (line * geometry.resultSize.z + firstColumn + j) * geometry.resultStrides.z;
              if (HAS_RESIDUAL) {
                sum += f32(residual[place]);
              }
              result[place] = Element(activate(sum));
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
