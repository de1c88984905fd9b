// Convolution in register tiles, without workgroup memory: forward pass and input gradient.
//
// Each thread holds ROWS result channels x COLUMNS result positions of
//   result[n, r, p] = sum over taps k, source channels s of weight[r, s, k] * source[n, s, gather(p, k)]
// and takes ROWS + COLUMNS loads for ROWS * COLUMNS multiply-adds. Positions are counted through the
// whole batch; neighbouring threads hold neighbouring positions, so their loads fall together.
// Padding is loaded from a harmless place and zeroed by select.
// Dispatch: groups x ceil(resultChannels / ROWS) x ceil(batch * positions / (THREADS * COLUMNS)), folded.
import package::common::grid::workgroupIndex;
import package::common::space::{flatten, unflatten};
import package::common::taps::{
  gatherDepth, gatherHeight, gatherOrigin, gatherWidth, isInside, KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH
};
import package::common::epilogue::{activate, activationGradient, HAS_BIAS, MASKED};

const THREADS: u32 = 64u; // @specialize
const ROWS: u32 = 4u; // @specialize
const COLUMNS: u32 = 4u; // @specialize

// More channels than any buffer holds: a loop with a constant bound and a break needs no guard counter.
const MOST_CHANNELS: u32 = 0x40000000u;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  resultPositions: u32, // of one sample
  columns: u32, // batch * resultPositions
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  columnBlocks: u32,
  rowBlocks: u32,
  tasks: u32, // groups * rowBlocks * columnBlocks
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> activated: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

fn loadSource(offset: u32, inside: bool) -> f32 {
  if (MASKED) {
    return select(0.0, activationGradient(source[offset], activated[offset]), inside);
  }
  return select(0.0, source[offset], inside);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid);
  if (task >= geometry.tasks) {
    return;
  }
  let rowBlock = task % geometry.rowBlocks;
  let columnBlock = (task / geometry.rowBlocks) % geometry.columnBlocks;
  let group = task / (geometry.rowBlocks * geometry.columnBlocks);
  let firstRow = rowBlock * ROWS;
  let firstColumn = columnBlock * THREADS * COLUMNS + thread;
  if (firstColumn >= geometry.columns) {
    return;
  }

  var origins: array<vec3<i32>, COLUMNS>;
  var bases: array<u32, COLUMNS>;
  for (var j = 0u; j < COLUMNS; j++) { // @unroll
    let column = min(firstColumn + j * THREADS, geometry.columns - 1u);
    origins[j] = gatherOrigin(unflatten(column % geometry.resultPositions, geometry.resultSize), geometry.padBegin);
    bases[j] = (column / geometry.resultPositions) * geometry.sourceStrides.x
      + group * geometry.sourceChannels * geometry.sourceStrides.y;
  }
  var weightRows: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // @unroll
    weightRows[r] = group * geometry.weightGroupStride
      + min(firstRow + r, geometry.resultChannels - 1u) * geometry.weightStrides.x;
  }

  var sums: array<f32, ROWS * COLUMNS>;
  for (var kd = 0u; kd < KERNEL_DEPTH; kd++) {
    for (var kh = 0u; kh < KERNEL_HEIGHT; kh++) {
      for (var kw = 0u; kw < KERNEL_WIDTH; kw++) {
        var inside: array<bool, COLUMNS>;
        var offsets: array<u32, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          let at = vec3<u32>(gatherDepth(origins[j], kd), gatherHeight(origins[j], kh), gatherWidth(origins[j], kw));
          inside[j] = isInside(at, geometry.sourceSize);
          offsets[j] = bases[j] + select(0u, flatten(at, geometry.sourceSize) * geometry.sourceStrides.z, inside[j]);
        }
        let tap = ((kd * KERNEL_HEIGHT + kh) * KERNEL_WIDTH + kw) * geometry.weightStrides.z;
        for (var c = 0u; c < MOST_CHANNELS; c++) {
          if (c >= geometry.sourceChannels) {
            break;
          }
          let sourceChannel = c * geometry.sourceStrides.y;
          let weightChannel = tap + c * geometry.weightStrides.y;
          var values: array<f32, COLUMNS>;
          for (var j = 0u; j < COLUMNS; j++) { // @unroll
            values[j] = loadSource(offsets[j] + sourceChannel, inside[j]);
          }
          for (var r = 0u; r < ROWS; r++) { // @unroll
            let factor = weight[weightRows[r] + weightChannel];
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              sums[r * COLUMNS + j] += factor * values[j];
            }
          }
        }
      }
    }
  }

  for (var j = 0u; j < COLUMNS; j++) { // @unroll
    let column = firstColumn + j * THREADS;
    if (column < geometry.columns) {
      let base = (column / geometry.resultPositions) * geometry.resultStrides.x
        + (column % geometry.resultPositions) * geometry.resultStrides.z;
      for (var r = 0u; r < ROWS; r++) { // @unroll
        let row = firstRow + r;
        if (row < geometry.resultChannels) {
          let channel = group * geometry.resultChannels + row;
          var sum = sums[r * COLUMNS + j];
          if (HAS_BIAS) {
            sum += bias[channel];
          }
          result[base + channel * geometry.resultStrides.y] = activate(sum);
        }
      }
    }
  }
}
