// Convolution as a tiled matrix product, without an im2col buffer: forward pass and input gradient.
//
//   result[row, column] = sum over depth of weight[row, depth] * patches[depth, column]
//
// row: result channel of a group      column: result position, counted through the batch
// depth: (source channel, visited tap), tap fastest; a patch element is the source element that the tap meets.
// Transposed, the positions of a tile are of one phase (common/phases.wgsl), so that they meet the same taps.
// A workgroup computes TILE_ROWS x TILE_COLUMNS: it brings TILE_DEPTH of both factors into workgroup
// memory at a time, and each thread holds ROWS x (4 * VECTORS) sums in registers.
// Dispatch: splits x phases x groups x rowBlocks x columnBlocks workgroups, folded, rows fastest (they share patches).
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::phases::{isOfPhase, phaseCount, phaseIndex, phaseOffset, phasePosition};
import package::common::result::{result, storeResult, Result};
import package::common::source::sourceOrPixelAt;
import package::common::space::flatten;
import package::common::taps::{firstTap, gatherAt, gatherOrigin, isInside, isTap, tapNumber, tapOf, visitAt, VISITS};

const THREADS_X: u32 = 16u; // @specialize
const THREADS_Y: u32 = 16u; // @specialize
const ROWS: u32 = 4u; // @specialize
const VECTORS: u32 = 1u; // @specialize
const TILE_DEPTH: u32 = 16u; // @specialize
// Vectors of the depth that are written out: a divisor of TILE_DEPTH / 4.
const UNROLL: u32 = 1u; // @specialize
// Weights of a row lie contiguous and aligned: load four of the depth at once.
const VECTOR_WEIGHT: bool = false; // @specialize
// A pointwise layer whose four neighbouring columns are four neighbouring source elements.
const VECTOR_SOURCE: bool = false; // @specialize
// The depth is dealt out to splits: what each sums goes to a partial result (sum_splits.wgsl adds them).
const SPLIT: bool = false; // @specialize
// Condition BLOCKED: sums are longer than a block. What several of them make is added up in the result, which is
// float32 then, or, on condition IN_REGISTERS, in registers.

const THREADS: u32 = THREADS_X * THREADS_Y;
const TILE_ROWS: u32 = THREADS_Y * ROWS;
const TILE_VECTORS: u32 = THREADS_X * VECTORS;
const TILE_COLUMNS: u32 = TILE_VECTORS * 4u;
const DEPTH_VECTORS: u32 = TILE_DEPTH / 4u;
const WEIGHT_LOADS: u32 = TILE_ROWS * DEPTH_VECTORS / THREADS;
const SOURCE_LOADS: u32 = TILE_DEPTH * TILE_VECTORS / THREADS;
const SOURCE_STEP: u32 = THREADS / TILE_VECTORS;
const BLOCK_TILES: u32 = max(1u, BLOCK_TERMS / TILE_DEPTH);

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  gridSize: vec3<u32>, // positions of a phase along each axis
  gridPositions: u32, // of one sample and phase
  columns: u32, // batch * gridPositions
  depth: u32, // sourceChannels * VISITS
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  columnBlocks: u32,
  rowBlocks: u32,
  tasks: u32, // splits * phases * groups * rowBlocks * columnBlocks
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  depthPerSplit: u32, //, a multiple of TILE_DEPTH
  resultElements: u32, // from one partial result to the next
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;
// The same buffers again, four elements at a time.
@group(0) @binding(7) var<storage, read> weightVectors: array<vec4<Element>>;
@group(0) @binding(8) var<storage, read> sourceVectors: array<vec4<Element>>;

// Four of the depth for one row; and for one of the depth four columns.
var<workgroup> weightTile: array<vec4<f32>, TILE_ROWS * DEPTH_VECTORS>;
var<workgroup> sourceTile: array<vec4<f32>, TILE_DEPTH * TILE_VECTORS>;

fn loadWeights(rowBase: u32, depth: u32, first: vec3<u32>) -> vec4<f32> {
  if (VECTOR_WEIGHT) {
    return select(vec4<f32>(0.0), vec4<f32>(weightVectors[(rowBase + depth) / 4u]), depth < geometry.depth);
  }
  var values: vec4<f32>;
  for (var i = 0u; i < 4u; i++) { // @unroll
    let channel = (depth + i) / VISITS;
    let tap = tapOf(first, visitAt((depth + i) % VISITS));
    let exists = isTap(tap) & (depth + i < geometry.depth);
    let offset = rowBase + channel * geometry.weightStrides.y + tapNumber(tap) * geometry.weightStrides.z;
    values[i] = select(0.0, f32(weight[select(0u, offset, exists)]), exists);
  }
  return values;
}

fn sourceMet(base: u32, origin: vec3<i32>, visit: vec3<u32>, valid: bool) -> f32 {
  let at = gatherAt(origin, visit, geometry.sourceSize);
  let inside = isInside(at, geometry.sourceSize) & valid;
  let offset = select(0u, base + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z, inside);
  return select(0.0, sourceOrPixelAt(offset, geometry.pixelScale, geometry.pixelShift), inside);
}

fn resultPlace(column: u32, channel: u32, phase: vec3<u32>) -> u32 {
  let index = column % geometry.gridPositions;
  return (column / geometry.gridPositions) * geometry.resultStrides.x + channel * geometry.resultStrides.y
    + phaseIndex(index, geometry.gridSize, phase, geometry.resultSize) * geometry.resultStrides.z;
}

fn isResult(column: u32, phase: vec3<u32>) -> bool {
  return (column < geometry.columns)
    & isOfPhase(column % geometry.gridPositions, geometry.gridSize, phase, geometry.resultSize);
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
  let columnBlock = (task / geometry.rowBlocks) % geometry.columnBlocks;
  let outer = task / (geometry.rowBlocks * geometry.columnBlocks);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  var firstTile = 0u;
  var tiles = (geometry.depth + TILE_DEPTH - 1u) / TILE_DEPTH;
  var firstResult = 0u;
  if (SPLIT) {
    let split = slice / phaseCount(geometry.phases);
    firstTile = split * (geometry.depthPerSplit / TILE_DEPTH);
    tiles = min(tiles, firstTile + geometry.depthPerSplit / TILE_DEPTH);
    firstResult = split * geometry.resultElements;
  }
  let phase = phaseOffset(slice, geometry.phases);
  let first = firstTap(phase, geometry.padBegin);
  let firstColumn = columnBlock * TILE_COLUMNS;

  // The four columns whose patches this thread loads, the same throughout.
  let loadVector = thread % TILE_VECTORS;
  let loadDepth = thread / TILE_VECTORS;
  var origins: array<vec3<i32>, 4>;
  var bases: array<u32, 4>;
  var valid: array<bool, 4>;
  for (var j = 0u; j < 4u; j++) { // @unroll
    let column = firstColumn + loadVector * 4u + j;
    valid[j] = column < geometry.columns;
    let index = column % geometry.gridPositions;
    let position = phasePosition(index, geometry.gridSize, phase);
    origins[j] = gatherOrigin(vec3<i32>(position), geometry.padBegin, first);
    bases[j] = (column / geometry.gridPositions) * geometry.sourceStrides.x
      + group * geometry.sourceChannels * geometry.sourceStrides.y
      + select(0u, index, VECTOR_SOURCE);
  }

  // Block by block: the result holds what those before have summed.
  var sums: array<vec4<f32>, ROWS * VECTORS>;
  var totals: array<vec4<f32>, ROWS * VECTORS>;
  for (var blockTile = firstTile; blockTile < tiles; blockTile += BLOCK_TILES) {
    for (var i = 0u; i < ROWS * VECTORS; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    let blockEnd = min(tiles, blockTile + BLOCK_TILES);
    for (var tile = blockTile; tile < blockEnd; tile++) {
      let firstDepth = tile * TILE_DEPTH;
      for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        let row = min(firstRow + slot / DEPTH_VECTORS, geometry.resultChannels - 1u);
        let rowBase = group * geometry.weightGroupStride + row * geometry.weightStrides.x;
        weightTile[slot] = loadWeights(rowBase, firstDepth + (slot % DEPTH_VECTORS) * 4u, first);
      }
      for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
        let row = loadDepth + i * SOURCE_STEP;
        let depth = firstDepth + row;
        let channel = (depth / VISITS) * geometry.sourceStrides.y;
        var values: vec4<f32>;
        if (VECTOR_SOURCE) {
          let here = valid[0] & (depth < geometry.depth);
          values = select(vec4<f32>(0.0), vec4<f32>(sourceVectors[select(0u, (bases[0] + channel) / 4u, here)]), here);
        } else {
          for (var j = 0u; j < 4u; j++) { // @unroll
            let exists = valid[j] & (depth < geometry.depth);
            values[j] = sourceMet(bases[j] + channel, origins[j], visitAt(depth % VISITS), exists);
          }
        }
        sourceTile[row * TILE_VECTORS + loadVector] = values;
      }
      workgroupBarrier();

      for (var turn = 0u; turn < DEPTH_VECTORS / UNROLL; turn++) {
        for (var u = 0u; u < UNROLL; u++) { // @unroll
          let k = turn * UNROLL + u;
          var patches: array<vec4<f32>, 4u * VECTORS>;
          for (var i = 0u; i < 4u; i++) { // @unroll
            for (var v = 0u; v < VECTORS; v++) { // @unroll
              patches[i * VECTORS + v] = sourceTile[(k * 4u + i) * TILE_VECTORS + v * THREADS_X + local.x];
            }
          }
          for (var r = 0u; r < ROWS; r++) { // @unroll
            let factors = weightTile[(local.y * ROWS + r) * DEPTH_VECTORS + k];
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
        // Reads beyond the last row mean nothing, and are not stored.
        for (var v = 0u; v < VECTORS; v++) { // @unroll
          let column = firstColumn + (v * THREADS_X + local.x) * 4u;
          let row = firstRow + local.y * ROWS;
          let channel = group * geometry.resultChannels + row;
          @if(VECTOR_RESULT) {
            let base = (firstResult + resultPlace(column, channel, phase)) / 4u;
            if (blockTile > firstTile) {
              for (var r = 0u; r < ROWS; r++) { // @unroll
                sums[r * VECTORS + v] += vec4<f32>(result[base + r * (geometry.resultStrides.y / 4u)]);
              }
            }
            if (blockEnd < tiles && column < geometry.columns) {
              for (var r = 0u; r < ROWS; r++) { // @unroll
                if (row + r < geometry.resultChannels) {
                  result[base + r * (geometry.resultStrides.y / 4u)] = Result(sums[r * VECTORS + v]);
                }
              }
            }
          } @else {
            for (var j = 0u; j < 4u; j++) { // @unroll
              let base = firstResult + resultPlace(column + j, channel, phase);
              if (blockTile > firstTile) {
                for (var r = 0u; r < ROWS; r++) { // @unroll
                  sums[r * VECTORS + v][j] += f32(result[base + r * geometry.resultStrides.y]);
                }
              }
              if (blockEnd < tiles && isResult(column + j, phase)) {
                for (var r = 0u; r < ROWS; r++) { // @unroll
                  if (row + r < geometry.resultChannels) {
                    result[base + r * geometry.resultStrides.y] = Result(sums[r * VECTORS + v][j]);
                  }
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

  for (var v = 0u; v < VECTORS; v++) { // @unroll
    @if(VECTOR_RESULT) {
      let column = firstColumn + (v * THREADS_X + local.x) * 4u;
      if (column < geometry.columns) {
        let base = (column / geometry.gridPositions) * geometry.resultStrides.x + column % geometry.gridPositions;
        for (var r = 0u; r < ROWS; r++) { // @unroll
          let row = firstRow + local.y * ROWS + r;
          if (row < geometry.resultChannels) {
            let channel = group * geometry.resultChannels + row;
            let place = (base + channel * geometry.resultStrides.y) / 4u;
            storeResult(sums[r * VECTORS + v], channel, place, firstResult / 4u);
          }
        }
      }
    } @else {
      for (var j = 0u; j < 4u; j++) { // @unroll
        let column = firstColumn + (v * THREADS_X + local.x) * 4u + j;
        if (isResult(column, phase)) {
          let base = resultPlace(column, 0u, phase);
          for (var r = 0u; r < ROWS; r++) { // @unroll
            let row = firstRow + local.y * ROWS + r;
            if (row < geometry.resultChannels) {
              let channel = group * geometry.resultChannels + row;
              storeResult(sums[r * VECTORS + v][j], channel, base + channel * geometry.resultStrides.y, firstResult);
            }
          }
        }
      }
    }
  }
}
