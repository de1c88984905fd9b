// Convolution in register tiles of vectors, without workgroup memory: forward pass and input gradient.
//
//   result[n, r, p] = sum over taps k, source channels s of weight[r, s, k] * source[n, s, k, p]
//
// Each thread holds ROWS result channels x VECTORS vectors of four neighbouring positions, and loads a vector of
// sources at once: those of a plain 1x1 layer lie so, others are laid out so by unfold.wgsl. Neighbouring threads hold
// neighbouring vectors. Positions of a phase (common/phases.wgsl) are cut into vectors sample by sample. With SHARED
// above 1, the lanes of a subgroup load the weights of as many channels, one each, and pass them around.
// Dispatch: splits x phases x groups x ceil(resultChannels / ROWS) x ceil(columns / (THREADS * VECTORS)), folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::phases::{isOfPhase, phaseCount, phaseIndex, phaseOffset};
import package::common::taps::{
  firstTap, isTap, tapNumber, tapOf, visitAt, VISITS
};
import package::common::epilogue::{maskGradients, MASKED};
import package::common::result::{result, storeResult, Result};
@if(SUBGROUPS) enable subgroups;

const THREADS: u32 = 64u; // @specialize
const ROWS: u32 = 4u; // @specialize
const VECTORS: u32 = 1u; // @specialize
const SHARED: u32 = 1u; // @specialize
// The channels do not divide into shares: some of the last one are missing.
const TAIL: bool = false; // @specialize
alias SourceVector = vec4f; // @specialize
// Blocks of the sums are dealt out to splits: what each makes goes to a partial result (sum_splits.wgsl adds them).
const SPLIT: bool = false; // @specialize
// Condition BLOCKED: sums are longer than a block. What several of them make is added up in the result, which is
// float32 then, or, on condition IN_REGISTERS, in registers.

// More channels than any buffer holds: a loop with a constant bound and a break needs no guard counter.
const MOST_CHANNELS: u32 = 0x40000000u;

struct Geometry {
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  gridSize: vec3<u32>, // positions of a phase along each axis
  gridPositions: u32, // of one sample and phase
  rowVectors: u32, // that these take
  columns: u32, // batch * rowVectors
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  columnBlocks: u32,
  rowBlocks: u32,
  tasks: u32, // splits * phases * groups * rowBlocks * columnBlocks
  sourceStrides: vec4<u32>, // in vectors: batch, group, channel, visit
  resultStrides: vec3<u32>, // batch, channel, position
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  chunks: u32, // of the channels: a step of a sum takes one of a tap
  chunkChannels: u32,
  stepsPerBlock: u32,
  blocks: u32,
  blocksPerSplit: u32,
  resultElements: u32, // from one partial result to the next
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<SourceVector>;
@group(0) @binding(3) var<storage, read> weight: array<Element>;
@group(0) @binding(7) var<storage, read> activatedVectors: array<SourceVector>;

struct Invocation {
  @builtin(local_invocation_index) thread: u32,
  @if(SUBGROUPS) @builtin(subgroup_invocation_id) lane: u32,
}

fn loadSource(place: u32) -> vec4<f32> {
  let value = vec4<f32>(source[place]);
  if (MASKED) {
    return maskGradients(value, vec4<f32>(activatedVectors[place]));
  }
  return value;
}

// Of one of four neighbouring positions of a phase.
fn resultPlace(column: u32, neighbour: u32, channel: u32, offset: vec3<u32>) -> u32 {
  let index = 4u * (column % geometry.rowVectors) + neighbour;
  return (column / geometry.rowVectors) * geometry.resultStrides.x + channel * geometry.resultStrides.y
    + phaseIndex(index, geometry.gridSize, offset, geometry.resultSize) * geometry.resultStrides.z;
}

fn isResult(column: u32, neighbour: u32, offset: vec3<u32>) -> bool {
  let index = 4u * (column % geometry.rowVectors) + neighbour;
  return (column < geometry.columns) & (index < geometry.gridPositions)
    & isOfPhase(index, geometry.gridSize, offset, geometry.resultSize);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  place: Invocation,
) {
  let thread = place.thread;
  var lane = 0u;
  @if(SUBGROUPS) lane = place.lane % SHARED;
  let task = workgroupIndex(workgroupId, grid);
  if (task >= geometry.tasks) {
    return;
  }
  let rowBlock = task % geometry.rowBlocks;
  let columnBlock = (task / geometry.rowBlocks) % geometry.columnBlocks;
  let outer = task / (geometry.rowBlocks * geometry.columnBlocks);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  let phases = phaseCount(geometry.phases);
  var phase = slice;
  var firstBlock = 0u;
  var blocks = geometry.blocks;
  var firstResult = 0u;
  if (SPLIT) {
    phase = slice % phases;
    firstBlock = (slice / phases) * geometry.blocksPerSplit;
    blocks = min(blocks, firstBlock + geometry.blocksPerSplit);
    firstResult = (slice / phases) * geometry.resultElements;
  }
  let offset = phaseOffset(phase, geometry.phases);
  let first = firstTap(offset, geometry.padBegin);
  let firstRow = rowBlock * ROWS;
  let firstColumn = columnBlock * THREADS * VECTORS + thread;

  // Columns beyond the last compute it once more: lanes that share their loads must all be there.
  var bases: array<u32, VECTORS>;
  for (var j = 0u; j < VECTORS; j++) { // @unroll
    let column = min(firstColumn + j * THREADS, geometry.columns - 1u);
    bases[j] = (column / geometry.rowVectors) * geometry.sourceStrides.x + group * geometry.sourceStrides.y
      + phase * VISITS * geometry.sourceStrides.w + column % geometry.rowVectors;
  }
  var weightRows: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { // @unroll
    weightRows[r] = group * geometry.weightGroupStride
      + min(firstRow + r, geometry.resultChannels - 1u) * geometry.weightStrides.x + lane * geometry.weightStrides.y;
  }

  // Block by block, of so many steps: some channels of a tap, and then the next. The result holds what blocks before
  // have summed.
  var sums: array<vec4<f32>, ROWS * VECTORS>;
  var totals: array<vec4<f32>, ROWS * VECTORS>;
  var visitNumber = firstBlock * geometry.stepsPerBlock / geometry.chunks;
  var firstChannel = firstBlock * geometry.stepsPerBlock % geometry.chunks * geometry.chunkChannels;
  for (var index = firstBlock; index < blocks; index++) {
    for (var i = 0u; i < ROWS * VECTORS; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    for (var step = 0u; step < geometry.stepsPerBlock; step++) {
      if (visitNumber >= VISITS) {
        break;
      }
      let tap = tapOf(first, visitAt(visitNumber));
      if (isTap(tap)) {
        let endChannel = min(geometry.sourceChannels, firstChannel + geometry.chunkChannels);
        let weightTap = tapNumber(tap) * geometry.weightStrides.z;
        let sourceVisit = visitNumber * geometry.sourceStrides.w;
        for (var c = 0u; c < MOST_CHANNELS; c++) {
          let share = firstChannel + c * SHARED;
          if (share >= endChannel) {
            break;
          }
          let weightChannel = weightTap + share * geometry.weightStrides.y;
          var factors: array<f32, ROWS>;
          for (var r = 0u; r < ROWS; r++) { // @unroll
            factors[r] = f32(weight[weightRows[r] + weightChannel]);
            if (TAIL) {
              factors[r] = select(0.0, factors[r], share + lane < geometry.sourceChannels);
            }
          }
          for (var s = 0u; s < SHARED; s++) { // @unroll
            var values: array<vec4<f32>, VECTORS>;
            for (var j = 0u; j < VECTORS; j++) { // @unroll
              values[j] = loadSource(bases[j] + sourceVisit + (share + s) * geometry.sourceStrides.z);
              if (TAIL) {
                values[j] = select(vec4<f32>(0.0), values[j], share + s < geometry.sourceChannels);
              }
            }
            for (var r = 0u; r < ROWS; r++) { // @unroll
              var factor = factors[r];
              @if(SUBGROUPS) factor = subgroupBroadcast(factors[r], s);
              for (var j = 0u; j < VECTORS; j++) { // @unroll
                sums[r * VECTORS + j] = fma(vec4<f32>(factor), values[j], sums[r * VECTORS + j]);
              }
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
        for (var i = 0u; i < ROWS * VECTORS; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        // Reads beyond the last row mean nothing, and are not stored.
        for (var j = 0u; j < VECTORS; j++) { // @unroll
          let column = firstColumn + j * THREADS;
          let channel = group * geometry.resultChannels + firstRow;
          @if(VECTOR_RESULT) {
            let base = (firstResult + resultPlace(column, 0u, channel, offset)) / 4u;
            if (index > firstBlock) {
              for (var r = 0u; r < ROWS; r++) { // @unroll
                sums[r * VECTORS + j] += vec4<f32>(result[base + r * (geometry.resultStrides.y / 4u)]);
              }
            }
            if (index + 1u < blocks && column < geometry.columns) {
              for (var r = 0u; r < ROWS; r++) { // @unroll
                if (firstRow + r < geometry.resultChannels) {
                  result[base + r * (geometry.resultStrides.y / 4u)] = Result(sums[r * VECTORS + j]);
                }
              }
            }
          } @else {
            for (var i = 0u; i < 4u; i++) { // @unroll
              let base = firstResult + resultPlace(column, i, channel, offset);
              if (index > firstBlock) {
                for (var r = 0u; r < ROWS; r++) { // @unroll
                  sums[r * VECTORS + j][i] += f32(result[base + r * geometry.resultStrides.y]);
                }
              }
              if (index + 1u < blocks && isResult(column, i, offset)) {
                for (var r = 0u; r < ROWS; r++) { // @unroll
                  if (firstRow + r < geometry.resultChannels) {
                    result[base + r * geometry.resultStrides.y] = Result(sums[r * VECTORS + j][i]);
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

  for (var j = 0u; j < VECTORS; j++) { // @unroll
    let column = firstColumn + j * THREADS;
    @if(VECTOR_RESULT) {
      if (column < geometry.columns) {
        let base = (column / geometry.rowVectors) * geometry.resultStrides.x + 4u * (column % geometry.rowVectors);
        for (var r = 0u; r < ROWS; r++) { // @unroll
          if (firstRow + r < geometry.resultChannels) {
            let channel = group * geometry.resultChannels + firstRow + r;
            let place = (base + channel * geometry.resultStrides.y) / 4u;
            storeResult(sums[r * VECTORS + j], channel, place, firstResult / 4u);
          }
        }
      }
    } @else {
      for (var i = 0u; i < 4u; i++) { // @unroll
        if (isResult(column, i, offset)) {
          let base = resultPlace(column, i, 0u, offset);
          for (var r = 0u; r < ROWS; r++) { // @unroll
            if (firstRow + r < geometry.resultChannels) {
              let channel = group * geometry.resultChannels + firstRow + r;
              storeResult(sums[r * VECTORS + j][i], channel, base + channel * geometry.resultStrides.y, firstResult);
            }
          }
        }
      }
    }
  }
}
