// Weight gradient as a tiled matrix product, without an im2col buffer.
//
//   partials[split][g, row, column] = sum over depth of dy[row, depth] * patches[depth, column]
//
// depth: output position, counted through the batch. Rows, columns, partials: common/weight_columns.wgsl.
// A workgroup computes TILE_ROWS x TILE_COLUMNS of one split: it brings TILE_DEPTH of both factors into
// workgroup memory at a time, and each thread holds ROWS x (4 * VECTORS) sums in registers.
// Dispatch: splits x groups x rowBlocks x columnBlocks workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::space::{flatten, unflatten};
import package::common::taps::{isInside, TAPS};
import package::common::weight_columns::{columnOrigin, inputAt};
import package::common::epilogue::{maskGradients, HAS_BIAS, MASKED};
import package::common::gradient::{loadGradient, loadInput};

const THREADS_X: u32 = 16u; // @specialize
const THREADS_Y: u32 = 16u; // @specialize
const ROWS: u32 = 4u; // @specialize
const VECTORS: u32 = 1u; // @specialize
const TILE_DEPTH: u32 = 16u; // @specialize
// Vectors of the depth that are written out: a divisor of TILE_DEPTH / 4.
const UNROLL: u32 = 1u; // @specialize
// Output positions of a sample are a multiple of four and contiguous: load four of the depth at once.
const VECTOR_GRADIENT: bool = false; // @specialize
// Neighbouring threads load neighbouring positions, where these lie together, and not neighbouring columns.
const ALONG_DEPTH: bool = true; // @specialize
// Condition BLOCKED: sums are longer than a block. What several of them make is added up in the partial result or, on
// condition IN_REGISTERS, in registers.

const THREADS: u32 = THREADS_X * THREADS_Y;
const TILE_ROWS: u32 = THREADS_Y * ROWS;
const TILE_VECTORS: u32 = THREADS_X * VECTORS;
const TILE_COLUMNS: u32 = TILE_VECTORS * 4u;
const DEPTH_VECTORS: u32 = TILE_DEPTH / 4u;
const GRADIENT_LOADS: u32 = TILE_ROWS * DEPTH_VECTORS / THREADS;
const INPUT_LOADS: u32 = TILE_DEPTH * TILE_VECTORS / THREADS;
const INPUT_STEP: u32 = THREADS / TILE_VECTORS;
const BLOCK_DEPTH: u32 = max(1u, BLOCK_TERMS / TILE_DEPTH) * TILE_DEPTH;
// One more than a line of the tile has: threads that write to the same place of neighbouring lines meet other banks.
const INPUT_PITCH: u32 = TILE_VECTORS + 1u;

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
  outputPositions: u32, // of one sample
  depth: u32, // batch * outputPositions
  depthPerSplit: u32, // a multiple of TILE_DEPTH
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
// The same buffers again, four elements at a time.
@group(0) @binding(5) var<storage, read> gradientVectors: array<vec4<Element>>;
@group(0) @binding(6) var<storage, read> activatedVectors: array<vec4<Element>>;

// Four of the depth for one row; and for one of the depth four columns.
var<workgroup> gradientTile: array<vec4<f32>, TILE_ROWS * DEPTH_VECTORS>;
var<workgroup> inputTile: array<vec4<f32>, TILE_DEPTH * INPUT_PITCH>;

fn outputOffset(rowBase: u32, depth: u32) -> u32 {
  return rowBase + (depth / geometry.outputPositions) * geometry.outputStrides.x
    + (depth % geometry.outputPositions) * geometry.outputStrides.z;
}

fn loadGradients(rowBase: u32, depth: u32, end: u32) -> vec4<f32> {
  var values: vec4<f32>;
  if (VECTOR_GRADIENT) {
    let vector = select(0u, outputOffset(rowBase, depth) / 4u, depth < end);
    values = vec4<f32>(gradientVectors[vector]);
    if (MASKED) {
      values = maskGradients(values, vec4<f32>(activatedVectors[vector]));
    }
    return select(vec4<f32>(0.0), values, depth < end);
  }
  for (var i = 0u; i < 4u; i++) { // @unroll
    values[i] = loadGradient(outputOffset(rowBase, depth + i), depth + i < end);
  }
  return values;
}

@compute @workgroup_size(THREADS_X, THREADS_Y)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid);
  if (task >= geometry.tasks) {
    return;
  }
  let firstRow = (task % geometry.rowBlocks) * TILE_ROWS;
  let firstColumn = ((task / geometry.rowBlocks) % geometry.columnBlocks) * TILE_COLUMNS;
  let outer = task / (geometry.rowBlocks * geometry.columnBlocks);
  let group = outer % geometry.groups;
  let split = outer / geometry.groups;
  let weightColumns = geometry.inputChannels * TAPS;
  let columns = weightColumns + select(0u, 1u, HAS_BIAS);

  // The four columns whose patches this thread loads, the same throughout.
  let loadVector = select(thread % TILE_VECTORS, thread / INPUT_STEP, ALONG_DEPTH);
  let loadDepth = select(thread / TILE_VECTORS, thread % INPUT_STEP, ALONG_DEPTH);
  var origins: array<vec3<i32>, 4>;
  var channels: array<u32, 4>;
  for (var j = 0u; j < 4u; j++) { // @unroll
    let column = min(firstColumn + loadVector * 4u + j, weightColumns - 1u);
    origins[j] = columnOrigin(column, geometry.padBegin);
    channels[j] = (group * geometry.inputChannels + column / TAPS) * geometry.inputStrides.y;
  }

  // Block by block: the partial result holds what those before have summed.
  let begin = split * geometry.depthPerSplit;
  let end = min(begin + geometry.depthPerSplit, geometry.depth);
  var sums: array<vec4<f32>, ROWS * VECTORS>;
  var totals: array<vec4<f32>, ROWS * VECTORS>;
  for (var first = begin; first < end; first += BLOCK_DEPTH) {
    for (var i = 0u; i < ROWS * VECTORS; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    let tiles = (min(end - first, BLOCK_DEPTH) + TILE_DEPTH - 1u) / TILE_DEPTH;
    for (var tile = 0u; tile < tiles; tile++) {
      let firstDepth = first + tile * TILE_DEPTH;
      for (var i = 0u; i < GRADIENT_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        let row = group * geometry.rows + min(firstRow + slot / DEPTH_VECTORS, geometry.rows - 1u);
        let depth = firstDepth + (slot % DEPTH_VECTORS) * 4u;
        gradientTile[slot] = loadGradients(row * geometry.outputStrides.y, depth, end);
      }
      for (var i = 0u; i < INPUT_LOADS; i++) { // @unroll
        let row = loadDepth + i * INPUT_STEP;
        let depth = firstDepth + row;
        let output = unflatten(depth % geometry.outputPositions, geometry.outputSize);
        let base = (depth / geometry.outputPositions) * geometry.inputStrides.x;
        var values: vec4<f32>;
        for (var j = 0u; j < 4u; j++) { // @unroll
          let at = inputAt(output, origins[j], geometry.inputSize);
          let inside = isInside(at, geometry.inputSize) & (depth < end);
          let offset = base + channels[j] + flatten(at, geometry.inputSize) * geometry.inputStrides.z;
          values[j] = select(loadInput(offset, inside), 1.0, firstColumn + loadVector * 4u + j >= weightColumns);
        }
        inputTile[row * INPUT_PITCH + loadVector] = values;
      }
      workgroupBarrier();

      for (var turn = 0u; turn < DEPTH_VECTORS / UNROLL; turn++) {
        for (var u = 0u; u < UNROLL; u++) { // @unroll
          let k = turn * UNROLL + u;
          var patches: array<vec4<f32>, 4u * VECTORS>;
          for (var i = 0u; i < 4u; i++) { // @unroll
            for (var v = 0u; v < VECTORS; v++) { // @unroll
              patches[i * VECTORS + v] = inputTile[(k * 4u + i) * INPUT_PITCH + v * THREADS_X + local.x];
            }
          }
          for (var r = 0u; r < ROWS; r++) { // @unroll
            let factors = gradientTile[(local.y * ROWS + r) * DEPTH_VECTORS + k];
            for (var v = 0u; v < VECTORS; v++) { // @unroll
              sums[r * VECTORS + v] += factors.x * patches[v];
              sums[r * VECTORS + v] += factors.y * patches[VECTORS + v];
              sums[r * VECTORS + v] += factors.z * patches[2u * VECTORS + v];
              sums[r * VECTORS + v] += factors.w * patches[3u * VECTORS + v];
            }
          }
        }
      }
      workgroupBarrier();
    }

    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < ROWS * VECTORS; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        // Row by row. Reads beyond the end of one mean nothing, and are not stored.
        for (var r = 0u; r < ROWS; r++) { // @unroll
          let row = firstRow + local.y * ROWS + r;
          let base = (outer * geometry.rows + row) * columns + firstColumn + local.x * 4u;
          if (first > begin) {
            for (var v = 0u; v < VECTORS; v++) { // @unroll
              for (var j = 0u; j < 4u; j++) { // @unroll
                sums[r * VECTORS + v][j] += partials[base + v * THREADS_X * 4u + j];
              }
            }
          }
          if (first + BLOCK_DEPTH < end && row < geometry.rows) {
            for (var v = 0u; v < VECTORS; v++) { // @unroll
              for (var j = 0u; j < 4u; j++) { // @unroll
                if (firstColumn + (v * THREADS_X + local.x) * 4u + j < columns) {
                  partials[base + v * THREADS_X * 4u + j] = sums[r * VECTORS + v][j];
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

  for (var r = 0u; r < ROWS; r++) { // @unroll
    let row = firstRow + local.y * ROWS + r;
    if (row < geometry.rows) {
      let base = (outer * geometry.rows + row) * columns;
      for (var v = 0u; v < VECTORS; v++) { // @unroll
        for (var j = 0u; j < 4u; j++) { // @unroll
          let column = firstColumn + (v * THREADS_X + local.x) * 4u + j;
          if (column < columns) {
            partials[base + column] = sums[r * VECTORS + v][j];
          }
        }
      }
    }
  }
}
