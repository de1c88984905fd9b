// Vector tiles, forward pass and input gradient: register tiles of vectors, without workgroup memory.
//
//   result[n, r, p] = sum over taps t, source channels s of weight[r, s, t] * source[n, s, t, p]
//
// Each thread holds M_PER_THREAD result channels x VECTORS_PER_THREAD vectors of four neighbouring positions. It loads
// sources by the vector: those of a plain 1x1 layer lie in vectors, and unfold.wgsl lays out others. Neighbouring
// threads hold neighbouring vectors. A picture: src/solvers/vectorTile. Positions of a phase (common/phases.wgsl) are
// cut into vectors sample by sample. With BROADCAST_LANES above 1, and the condition SUBGROUPS, the lanes of a subgroup
// load the weights of as many source channels, one each, and broadcast them.
// Dispatch: splitK x phases x groups x tilesN x tilesM workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::phases::{isOfPhase, phaseCount, phaseIndex, phaseOffset};
import package::common::taps::{firstTap, isTap, phaseTapAt, tapNumber, tapOf, PHASE_TAPS};
import package::common::epilogue::{maskGradients, MASKED};
import package::common::result::{result, storeResult, Result};
@if(SUBGROUPS) enable subgroups;

const THREADS: u32 = 64u; // @specialize
const M_PER_THREAD: u32 = 4u; // @specialize
const VECTORS_PER_THREAD: u32 = 1u; // @specialize
const BROADCAST_LANES: u32 = 1u; // @specialize
// The channels are no multiple of the lanes: the last lanes have none.
const TAIL: bool = false; // @specialize
alias SourceVector = vec4f; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.

// More channels than any buffer holds: a loop with a constant bound and a break needs no guard counter.
const MOST_CHANNELS: u32 = 0x40000000u;

struct Geometry {
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  phaseSize: vec3<u32>, // positions of a phase along each axis
  phasePositions: u32, // of one sample and phase
  sampleVectors: u32, // ceil(phasePositions / 4)
  nVectors: u32, // batch * sampleVectors
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  tilesN: u32,
  tilesM: u32,
  tasks: u32, // splitK * phases * groups * tilesM * tilesN
  sourceStrides: vec4<u32>, // in vectors: batch, group, channel, tap of a phase
  resultStrides: vec3<u32>, // batch, channel, position
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  chunks: u32, // of the channels: a step of a sum takes one of a tap
  chunkChannels: u32,
  stepsPerBlock: u32,
  blocks: u32,
  blocksPerSplit: u32,
  resultElements: u32, // from one partial result to the next
  firstWorkgroup: u32,
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
fn resultPlace(vector: u32, neighbour: u32, channel: u32, offset: vec3<u32>) -> u32 {
  let index = 4u * (vector % geometry.sampleVectors) + neighbour;
  return (vector / geometry.sampleVectors) * geometry.resultStrides.x + channel * geometry.resultStrides.y
    + phaseIndex(index, geometry.phaseSize, offset, geometry.resultSize) * geometry.resultStrides.z;
}

fn isResult(vector: u32, neighbour: u32, offset: vec3<u32>) -> bool {
  let index = 4u * (vector % geometry.sampleVectors) + neighbour;
  return (vector < geometry.nVectors) & (index < geometry.phasePositions)
    & isOfPhase(index, geometry.phaseSize, offset, geometry.resultSize);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  place: Invocation,
) {
  let thread = place.thread;
  var lane = 0u;
  @if(SUBGROUPS) lane = place.lane % BROADCAST_LANES;
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  let mTile = task % geometry.tilesM;
  let nTile = (task / geometry.tilesM) % geometry.tilesN;
  let outer = task / (geometry.tilesM * geometry.tilesN);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  let phases = phaseCount(geometry.phases);
  var phase = slice;
  var firstBlock = 0u;
  var blocks = geometry.blocks;
  var firstResult = 0u;
  if (SPLIT_K) {
    phase = slice % phases;
    firstBlock = (slice / phases) * geometry.blocksPerSplit;
    blocks = min(blocks, firstBlock + geometry.blocksPerSplit);
    firstResult = (slice / phases) * geometry.resultElements;
  }
  let offset = phaseOffset(phase, geometry.phases);
  let first = firstTap(offset, geometry.padBegin);
  let firstM = mTile * M_PER_THREAD;
  let firstVector = nTile * THREADS * VECTORS_PER_THREAD + thread;

  // Threads beyond the last vector compute it once more: lanes that broadcast must all be there.
  var bases: array<u32, VECTORS_PER_THREAD>;
  for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
    let vector = min(firstVector + v * THREADS, geometry.nVectors - 1u);
    bases[v] = (vector / geometry.sampleVectors) * geometry.sourceStrides.x + group * geometry.sourceStrides.y
      + phase * PHASE_TAPS * geometry.sourceStrides.w + vector % geometry.sampleVectors;
  }
  var weightBases: array<u32, M_PER_THREAD>;
  for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
    weightBases[m] = group * geometry.weightGroupStride
      + min(firstM + m, geometry.resultChannels - 1u) * geometry.weightStrides.x + lane * geometry.weightStrides.y;
  }

  // Block by block, of so many steps: some channels of a tap, and then the next. The result holds what blocks before
  // have summed.
  var sums: array<vec4<f32>, M_PER_THREAD * VECTORS_PER_THREAD>;
  var totals: array<vec4<f32>, M_PER_THREAD * VECTORS_PER_THREAD>;
  var tapIndex = firstBlock * geometry.stepsPerBlock / geometry.chunks;
  var firstChannel = firstBlock * geometry.stepsPerBlock % geometry.chunks * geometry.chunkChannels;
  for (var index = firstBlock; index < blocks; index++) {
    for (var i = 0u; i < M_PER_THREAD * VECTORS_PER_THREAD; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    for (var step = 0u; step < geometry.stepsPerBlock; step++) {
      if (tapIndex >= PHASE_TAPS) {
        break;
      }
      let tap = tapOf(first, phaseTapAt(tapIndex));
      if (isTap(tap)) {
        let endChannel = min(geometry.sourceChannels, firstChannel + geometry.chunkChannels);
        let weightTap = tapNumber(tap) * geometry.weightStrides.z;
        let sourceTap = tapIndex * geometry.sourceStrides.w;
        for (var c = 0u; c < MOST_CHANNELS; c++) {
          let channel = firstChannel + c * BROADCAST_LANES;
          if (channel >= endChannel) {
            break;
          }
          let weightChannel = weightTap + channel * geometry.weightStrides.y;
          var factors: array<f32, M_PER_THREAD>;
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            factors[m] = f32(weight[weightBases[m] + weightChannel]);
            if (TAIL) {
              factors[m] = select(0.0, factors[m], channel + lane < geometry.sourceChannels);
            }
          }
          for (var s = 0u; s < BROADCAST_LANES; s++) { // @unroll
            var values: array<vec4<f32>, VECTORS_PER_THREAD>;
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              values[v] = loadSource(bases[v] + sourceTap + (channel + s) * geometry.sourceStrides.z);
              if (TAIL) {
                values[v] = select(vec4<f32>(0.0), values[v], channel + s < geometry.sourceChannels);
              }
            }
            for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
              var factor = factors[m];
              @if(SUBGROUPS) factor = subgroupBroadcast(factors[m], s);
              for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
                sums[m * VECTORS_PER_THREAD + v] = fma(vec4<f32>(factor), values[v], sums[m * VECTORS_PER_THREAD + v]);
              }
            }
          }
        }
      }
      firstChannel += geometry.chunkChannels;
      if (firstChannel >= geometry.sourceChannels) {
        firstChannel = 0u;
        tapIndex++;
      }
    }
    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < M_PER_THREAD * VECTORS_PER_THREAD; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        // Reads beyond the last channel mean nothing. They are not stored.
        for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
          let vector = firstVector + v * THREADS;
          let channel = group * geometry.resultChannels + firstM;
          @if(VECTOR_RESULT) {
            let base = (firstResult + resultPlace(vector, 0u, channel, offset)) / 4u;
            if (index > firstBlock) {
              for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
                sums[m * VECTORS_PER_THREAD + v] += vec4<f32>(result[base + m * (geometry.resultStrides.y / 4u)]);
              }
            }
            if (index + 1u < blocks && vector < geometry.nVectors) {
              for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
                if (firstM + m < geometry.resultChannels) {
                  result[base + m * (geometry.resultStrides.y / 4u)] = Result(sums[m * VECTORS_PER_THREAD + v]);
                }
              }
            }
          } @else {
            for (var i = 0u; i < 4u; i++) { // @unroll
              let base = firstResult + resultPlace(vector, i, channel, offset);
              if (index > firstBlock) {
                for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
                  sums[m * VECTORS_PER_THREAD + v][i] += f32(result[base + m * geometry.resultStrides.y]);
                }
              }
              if (index + 1u < blocks && isResult(vector, i, offset)) {
                for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
                  if (firstM + m < geometry.resultChannels) {
                    result[base + m * geometry.resultStrides.y] = Result(sums[m * VECTORS_PER_THREAD + v][i]);
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

  for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
    let vector = firstVector + v * THREADS;
    @if(VECTOR_RESULT) {
      if (vector < geometry.nVectors) {
        let base = (vector / geometry.sampleVectors) * geometry.resultStrides.x
          + 4u * (vector % geometry.sampleVectors);
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          if (firstM + m < geometry.resultChannels) {
            let channel = group * geometry.resultChannels + firstM + m;
            let place = (base + channel * geometry.resultStrides.y) / 4u;
            storeResult(sums[m * VECTORS_PER_THREAD + v], channel, place, firstResult / 4u);
          }
        }
      }
    } @else {
      // Not unrolled, so that kernels compile sooner: each turn stores the first of four, and moves the others on.
      for (var i = 0u; i < min(4u, geometry.phasePositions); i++) {
        if (isResult(vector, i, offset)) {
          let base = resultPlace(vector, i, 0u, offset);
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            if (firstM + m < geometry.resultChannels) {
              let channel = group * geometry.resultChannels + firstM + m;
              storeResult(
                sums[m * VECTORS_PER_THREAD + v].x, channel, base + channel * geometry.resultStrides.y, firstResult
              );
            }
          }
        }
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          sums[m * VECTORS_PER_THREAD + v] = sums[m * VECTORS_PER_THREAD + v].yzwx;
        }
      }
    }
  }
}
