// Convolution in register tiles, without workgroup memory: forward pass and input gradient.
//
// Each thread holds ROWS result channels x COLUMNS result positions of
//   result[n, r, p] = sum over taps k, source channels s of weight[r, s, k] * source[n, s, gather(p, k)]
// and takes ROWS + COLUMNS loads for ROWS * COLUMNS multiply-adds. Positions are counted through the
// whole batch; neighbouring threads hold neighbouring positions, so their loads fall together.
// Padding is loaded from a harmless place and zeroed by select.
// Transposed, the positions of a tile are of one phase (common/phases.wgsl), so that they meet the same taps.
// Dispatch: splits x phases x groups x ceil(resultChannels / ROWS) x ceil(columns / (THREADS * COLUMNS)), folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::phases::{isOfPhase, phaseCount, phaseIndex, phaseOffset, phasePosition};
import package::common::result::{result, storeResult, Result};
import package::common::source::sourceOrPixelAt;
import package::common::space::flatten;
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, tapNumber, tapOf, visitAt, VISITS
};

const THREADS: u32 = 64u; // @specialize
const ROWS: u32 = 4u; // @specialize
const COLUMNS: u32 = 4u; // @specialize
// Blocks of the sums are dealt out to splits: what each makes goes to a partial result (sum_splits.wgsl adds them).
const SPLIT: bool = false; // @specialize
// Condition BLOCKED: sums are longer than a block. What several of them make is added up in the result, which is
// float32 then, or, on condition IN_REGISTERS, in registers.

// More channels than any buffer holds: a loop with a constant bound and a break needs no guard counter.
const MOST_CHANNELS: u32 = 0x40000000u;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  gridSize: vec3<u32>, // positions of a phase along each axis
  gridPositions: u32, // of one sample and phase
  columns: u32, // batch * gridPositions
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
  chunks: u32, // of the channels: a step of a sum takes one of a tap
  chunkChannels: u32,
  stepsPerBlock: u32,
  blocks: u32,
  blocksPerSplit: u32,
  resultElements: u32, // from one partial result to the next
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;

fn resultPlace(column: u32, channel: u32, offset: vec3<u32>) -> u32 {
  let index = column % geometry.gridPositions;
  return (column / geometry.gridPositions) * geometry.resultStrides.x + channel * geometry.resultStrides.y
    + phaseIndex(index, geometry.gridSize, offset, geometry.resultSize) * geometry.resultStrides.z;
}

fn isResult(column: u32, offset: vec3<u32>) -> bool {
  return (column < geometry.columns)
    & isOfPhase(column % geometry.gridPositions, geometry.gridSize, offset, geometry.resultSize);
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
  let outer = task / (geometry.rowBlocks * geometry.columnBlocks);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  var firstBlock = 0u;
  var blocks = geometry.blocks;
  var firstResult = 0u;
  if (SPLIT) {
    let split = slice / phaseCount(geometry.phases);
    firstBlock = split * geometry.blocksPerSplit;
    blocks = min(blocks, firstBlock + geometry.blocksPerSplit);
    firstResult = split * geometry.resultElements;
  }
  let offset = phaseOffset(slice, geometry.phases);
  let first = firstTap(offset, geometry.padBegin);
  let firstRow = rowBlock * ROWS;
  let firstColumn = columnBlock * THREADS * COLUMNS + thread;
  if (firstColumn >= geometry.columns) {
    return;
  }

  var origins: array<vec3<i32>, COLUMNS>;
  var bases: array<u32, COLUMNS>;
  for (var j = 0u; j < COLUMNS; j++) { // @unroll
    let column = min(firstColumn + j * THREADS, geometry.columns - 1u);
    let position = phasePosition(column % geometry.gridPositions, geometry.gridSize, offset);
    origins[j] = gatherOrigin(vec3<i32>(position), geometry.padBegin, first);
    bases[j] = (column / geometry.gridPositions) * geometry.sourceStrides.x
      + group * geometry.sourceChannels * geometry.sourceStrides.y;
  }
  var weightRows: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // @unroll
    weightRows[r] = group * geometry.weightGroupStride
      + min(firstRow + r, geometry.resultChannels - 1u) * geometry.weightStrides.x;
  }

  let size = geometry.sourceSize;
  // Block by block, of so many steps: some channels of a tap, and then the next. The result holds what blocks before
  // have summed.
  var sums: array<f32, ROWS * COLUMNS>;
  var totals: array<f32, ROWS * COLUMNS>;
  var visitNumber = firstBlock * geometry.stepsPerBlock / geometry.chunks;
  var firstChannel = firstBlock * geometry.stepsPerBlock % geometry.chunks * geometry.chunkChannels;
  for (var index = firstBlock; index < blocks; index++) {
    for (var i = 0u; i < ROWS * COLUMNS; i++) { // @unroll
      sums[i] = 0.0;
    }
    for (var step = 0u; step < geometry.stepsPerBlock; step++) {
      if (visitNumber >= VISITS) {
        break;
      }
      let visit = visitAt(visitNumber);
      let tap = tapOf(first, visit);
      if (isTap(tap)) {
        let channels = min(geometry.chunkChannels, geometry.sourceChannels - firstChannel);
        let channelOffset = firstChannel * geometry.sourceStrides.y;
        var inside: array<bool, COLUMNS>;
        var offsets: array<u32, COLUMNS>;
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          let at = gatherAt(origins[j], visit, size);
          inside[j] = isInside(at, size);
          offsets[j] = bases[j] + channelOffset + select(0u, flatten(at, size) * geometry.sourceStrides.z, inside[j]);
        }
        let weightTap = tapNumber(tap) * geometry.weightStrides.z + firstChannel * geometry.weightStrides.y;
        for (var c = 0u; c < MOST_CHANNELS; c++) {
          if (c >= channels) {
            break;
          }
          let sourceChannel = c * geometry.sourceStrides.y;
          let weightChannel = weightTap + c * geometry.weightStrides.y;
          var values: array<f32, COLUMNS>;
          for (var j = 0u; j < COLUMNS; j++) { // @unroll
            let value = sourceOrPixelAt(offsets[j] + sourceChannel, geometry.pixelScale, geometry.pixelShift);
            values[j] = select(0.0, value, inside[j]);
          }
          for (var r = 0u; r < ROWS; r++) { // @unroll
            let factor = f32(weight[weightRows[r] + weightChannel]);
            for (var j = 0u; j < COLUMNS; j++) { // @unroll
              sums[r * COLUMNS + j] += factor * values[j];
            }
          }
        }
      }
      firstChannel += geometry.chunkChannels;
      if (firstChannel >= geometry.sourceChannels) {
        firstChannel = 0u;
        visitNumber++;
      }
    }
    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < ROWS * COLUMNS; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        // Reads beyond the last row mean nothing, and are not stored.
        for (var j = 0u; j < COLUMNS; j++) { // @unroll
          let column = firstColumn + j * THREADS;
          let base = firstResult + resultPlace(column, group * geometry.resultChannels + firstRow, offset);
          if (index > firstBlock) {
            for (var r = 0u; r < ROWS; r++) { // @unroll
              sums[r * COLUMNS + j] += f32(result[base + r * geometry.resultStrides.y]);
            }
          }
          if (index + 1u < blocks && isResult(column, offset)) {
            for (var r = 0u; r < ROWS; r++) { // @unroll
              if (firstRow + r < geometry.resultChannels) {
                result[base + r * geometry.resultStrides.y] = Result(sums[r * COLUMNS + j]);
              }
            }
          }
        }
      }
    } @else {
      break;
    }
  }

  for (var j = 0u; j < COLUMNS; j++) { // @unroll
    let column = firstColumn + j * THREADS;
    if (isResult(column, offset)) {
      let base = resultPlace(column, 0u, offset);
      for (var r = 0u; r < ROWS; r++) { // @unroll
        if (firstRow + r < geometry.resultChannels) {
          let channel = group * geometry.resultChannels + firstRow + r;
          storeResult(sums[r * COLUMNS + j], channel, base + channel * geometry.resultStrides.y, firstResult);
        }
      }
    }
  }
}
