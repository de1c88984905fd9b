// Register tiles, forward pass and input gradient: a matrix product without workgroup memory.
//
//   result[n, r, p] = sum over taps t, source channels s of weight[r, s, t] * source[n, s, gather(p, t)]
//
// Each thread holds M_PER_THREAD result channels x N_PER_THREAD result positions. For each term it takes
// M_PER_THREAD + N_PER_THREAD loads and M_PER_THREAD * N_PER_THREAD multiply-adds. Positions are counted through the
// batch. Neighbouring threads hold neighbouring positions, so their loads fall together. Padding is loaded from a
// harmless place and zeroed by select. A picture: src/solvers/registerTile.
// Transposed, the positions of a tile are of one phase (common/phases.wgsl): they read the same taps.
// Dispatch: splitK x phases x groups x tilesN x tilesM workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::phases::{isOfPhase, phaseCount, phaseIndex, phaseOffset, phasePosition};
import package::common::result::{result, storeResult, Result};
import package::common::source::sourceOrPixelAt;
import package::common::space::flatten;
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, phaseTapAt, tapNumber, tapOf, PHASE_TAPS
};

const THREADS: u32 = 64u; // @specialize
const M_PER_THREAD: u32 = 4u; // @specialize
const N_PER_THREAD: u32 = 4u; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.

// More channels than any buffer holds: a loop with a constant bound and a break needs no guard counter.
const MOST_CHANNELS: u32 = 0x40000000u;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  phaseSize: vec3<u32>, // positions of a phase along each axis
  phasePositions: u32, // of one sample and phase
  n: u32, // batch * phasePositions
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  tilesN: u32,
  tilesM: u32,
  tasks: u32, // splitK * phases * groups * tilesM * tilesN
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
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;

fn resultPlace(n: u32, channel: u32, offset: vec3<u32>) -> u32 {
  let index = n % geometry.phasePositions;
  return (n / geometry.phasePositions) * geometry.resultStrides.x + channel * geometry.resultStrides.y
    + phaseIndex(index, geometry.phaseSize, offset, geometry.resultSize) * geometry.resultStrides.z;
}

fn isResult(n: u32, offset: vec3<u32>) -> bool {
  return (n < geometry.n)
    & isOfPhase(n % geometry.phasePositions, geometry.phaseSize, offset, geometry.resultSize);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  let mTile = task % geometry.tilesM;
  let nTile = (task / geometry.tilesM) % geometry.tilesN;
  let outer = task / (geometry.tilesM * geometry.tilesN);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  var firstBlock = 0u;
  var blocks = geometry.blocks;
  var firstResult = 0u;
  if (SPLIT_K) {
    let split = slice / phaseCount(geometry.phases);
    firstBlock = split * geometry.blocksPerSplit;
    blocks = min(blocks, firstBlock + geometry.blocksPerSplit);
    firstResult = split * geometry.resultElements;
  }
  let offset = phaseOffset(slice, geometry.phases);
  let first = firstTap(offset, geometry.padBegin);
  let firstM = mTile * M_PER_THREAD;
  let firstN = nTile * THREADS * N_PER_THREAD + thread;
  if (firstN >= geometry.n) {
    return;
  }

  var origins: array<vec3<i32>, N_PER_THREAD>;
  var bases: array<u32, N_PER_THREAD>;
  for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
    let n = min(firstN + j * THREADS, geometry.n - 1u);
    let position = phasePosition(n % geometry.phasePositions, geometry.phaseSize, offset);
    origins[j] = gatherOrigin(vec3<i32>(position), geometry.padBegin, first);
    bases[j] = (n / geometry.phasePositions) * geometry.sourceStrides.x
      + group * geometry.sourceChannels * geometry.sourceStrides.y;
  }
  var weightBases: array<u32, M_PER_THREAD>;
  for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
    weightBases[m] = group * geometry.weightGroupStride
      + min(firstM + m, geometry.resultChannels - 1u) * geometry.weightStrides.x;
  }

  let size = geometry.sourceSize;
  // Block by block, of so many steps: some channels of a tap, and then the next. The result holds what blocks before
  // have summed.
  var sums: array<f32, M_PER_THREAD * N_PER_THREAD>;
  var totals: array<f32, M_PER_THREAD * N_PER_THREAD>;
  var tapIndex = firstBlock * geometry.stepsPerBlock / geometry.chunks;
  var firstChannel = firstBlock * geometry.stepsPerBlock % geometry.chunks * geometry.chunkChannels;
  for (var index = firstBlock; index < blocks; index++) {
    for (var i = 0u; i < M_PER_THREAD * N_PER_THREAD; i++) { // @unroll
      sums[i] = 0.0;
    }
    for (var step = 0u; step < geometry.stepsPerBlock; step++) {
      if (tapIndex >= PHASE_TAPS) {
        break;
      }
      let phaseTap = phaseTapAt(tapIndex);
      let tap = tapOf(first, phaseTap);
      if (isTap(tap)) {
        let channels = min(geometry.chunkChannels, geometry.sourceChannels - firstChannel);
        let channelOffset = firstChannel * geometry.sourceStrides.y;
        var inside: array<bool, N_PER_THREAD>;
        var offsets: array<u32, N_PER_THREAD>;
        for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
          let at = gatherAt(origins[j], phaseTap, size);
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
          var values: array<f32, N_PER_THREAD>;
          for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
            let value = sourceOrPixelAt(offsets[j] + sourceChannel, geometry.pixelScale, geometry.pixelShift);
            values[j] = select(0.0, value, inside[j]);
          }
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            let factor = f32(weight[weightBases[m] + weightChannel]);
            for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
              sums[m * N_PER_THREAD + j] += factor * values[j];
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
        for (var i = 0u; i < M_PER_THREAD * N_PER_THREAD; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        // Reads beyond the last channel mean nothing. They are not stored.
        for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
          let n = firstN + j * THREADS;
          let base = firstResult + resultPlace(n, group * geometry.resultChannels + firstM, offset);
          if (index > firstBlock) {
            for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
              sums[m * N_PER_THREAD + j] += f32(result[base + m * geometry.resultStrides.y]);
            }
          }
          if (index + 1u < blocks && isResult(n, offset)) {
            for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
              if (firstM + m < geometry.resultChannels) {
                result[base + m * geometry.resultStrides.y] = Result(sums[m * N_PER_THREAD + j]);
              }
            }
          }
        }
      }
    } @else {
      break;
    }
  }

  // Not unrolled, so that kernels compile sooner: each turn stores the first of a row, and moves the others on.
  for (var j = 0u; j < min(N_PER_THREAD, geometry.n); j++) {
    let n = firstN + j * THREADS;
    if (isResult(n, offset)) {
      let base = resultPlace(n, 0u, offset);
      for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
        if (firstM + m < geometry.resultChannels) {
          let channel = group * geometry.resultChannels + firstM + m;
          storeResult(sums[m * N_PER_THREAD], channel, base + channel * geometry.resultStrides.y, firstResult);
        }
      }
    }
    for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
      for (var i = 1u; i < N_PER_THREAD; i++) { // @unroll
        sums[m * N_PER_THREAD + i - 1u] = sums[m * N_PER_THREAD + i];
      }
    }
  }
}
