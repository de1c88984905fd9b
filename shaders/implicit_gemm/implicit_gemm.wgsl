// Implicit GEMM, forward pass and input gradient: a matrix product in workgroup memory, whose patches are never stored.
//
//   result[m, n] = sum over k of weight[m, k] * patches[k, n]
//
//   m: result channel of a group
//   n: result position, counted through the batch
//   k: (source channel, tap), or (tap, source channel), as weights lie; patches[k, n] is the source element that the
//      tap reads for position n
//
// A workgroup computes a tile of TILE_M x TILE_N. It loads TILE_K of both factors into workgroup memory at a time. Each
// thread holds M_PER_THREAD x (4 * VECTORS_PER_THREAD) sums in registers. A picture: src/solvers/implicitGemm. Each k
// of a block is divided into channel and tap once, for all positions; and for each position bits say which taps meet
// the source.
// Transposed, the positions of a tile are of one phase (common/phases.wgsl): they read the same taps.
// Dispatch: splitK x phases x groups x tilesN x tilesM workgroups, folded. Tiles along M are neighbours: they read the
// same patches.
import package::common::element::{valuesOf, Element, Vector};
import package::common::grid::workgroupIndex;
import package::common::halves::unpackHalf;
import package::common::long_sum::BLOCK_TERMS;
import package::common::phases::{phaseCount, phaseOffset, phasePosition};
import package::common::product_result::{
  carryTile, resultPlace, resultPlaces, storeTile, tileChannels, NOWHERE, Positions
};
import package::common::product_tile::{
  multiplyTile, tileA, tileB, A_LOADS, B_LOADS, B_STEP, EVEN_A, Held, PITCH, RAGGED, SUMS, THREADS,
  THREADS_M, THREADS_N, TILE_K, TILE_K_VECTORS, TILE_M, TILE_N, TILE_N_VECTORS
};
import package::common::source::sourceOrPixelAt;
import package::common::space::flatten;
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, phaseTapAt, sourceStep, tapBits, tapNumber, tapOf, tapsInside,
  PHASE_TAPS
};

// Neighbouring k are taps of a channel; otherwise channels of a tap.
const TAP_FASTEST: bool = true; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition TAP_BITS: zeros lie beyond the source, and bits of a word say which taps meet it (common/taps.wgsl).
// Condition PACKED_WEIGHTS: those of a result channel lie in whole vectors, in the order of K.
// Condition AHEAD: a thread loads its part of the next tile while this one is multiplied.
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.

const BLOCK_TILES: u32 = max(1u, BLOCK_TERMS / TILE_K);
const BLOCK_K: u32 = BLOCK_TILES * TILE_K;
// More than there are. Loops with a constant bound need no guard counters, which would take registers.
const MOST_BLOCKS: u32 = 0x1000000u;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  phaseSize: vec3<u32>, // positions of a phase along each axis
  phasePositions: u32, // of one sample and phase
  n: u32, // batch * phasePositions
  k: u32, // sourceChannels * PHASE_TAPS
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
  packedStrides: vec2<u32>, // group, result channel, in vectors
  kPerSplit: u32, // a multiple of TILE_K
  resultElements: u32, // from one partial result to the next
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;
// The packed weights, four elements at a time.
@group(0) @binding(7) var<storage, read> weightVectors: array<Vector>;

fn weightAt(place: u32) -> f32 {
  @if(HALVES) return unpackHalf(weight[place / 2u], place);
  @else return f32(weight[place]);
}

// Of each k of a block: how far its source lies from the first tap's of the first channel, and the bits of its tap; or
// how far that of its channel lies, and its tap.
var<workgroup> sourceSteps: array<vec2<u32>, BLOCK_K>;
// How far its weight lies from the first.
var<workgroup> weightSteps: array<u32, BLOCK_K>;

// Of each position of the tile: what the steps are counted from, the place of the first tap's source, and the bits of
// taps that meet it; or the place of the sample, whether the position exists, and its origin. Of each m: where its
// weights begin. In workgroup memory, what a thread loads takes no registers while it multiplies.
var<workgroup> patches: array<vec2<u32>, TILE_N>;
var<workgroup> origins: array<vec4<i32>, TILE_N>;
var<workgroup> weightPlaces: array<u32, TILE_M>;

const NO_TAP: u32 = 0x80000000u;

fn findStep(k: u32, slot: u32, first: vec3<u32>) {
  let channel = select(k % geometry.sourceChannels, k / PHASE_TAPS, TAP_FASTEST);
  let number = select(k / geometry.sourceChannels, k % PHASE_TAPS, TAP_FASTEST);
  let phaseTap = phaseTapAt(number);
  let place = channel * geometry.sourceStrides.y;
  let exists = k < geometry.k;
  @if(TAP_BITS) {
    let step = sourceStep(phaseTap, geometry.sourceSize) * geometry.sourceStrides.z;
    sourceSteps[slot] = vec2<u32>(place + step, select(NO_TAP, tapBits(phaseTap), exists));
  } @else {
    sourceSteps[slot] = vec2<u32>(place, select(NOWHERE, number, exists));
  }
  @if(PACKED_WEIGHTS) return;
  @else {
    let tap = tapOf(first, phaseTap);
    let step = channel * geometry.weightStrides.y + tapNumber(tap) * geometry.weightStrides.z;
    weightSteps[slot] = select(NOWHERE, step, exists & isTap(tap));
  }
}

fn findPatch(n: u32, slot: u32, group: u32, phase: vec3<u32>, first: vec3<u32>) {
  let position = phasePosition(n % geometry.phasePositions, geometry.phaseSize, phase);
  let origin = gatherOrigin(vec3<i32>(position), geometry.padBegin, first);
  let base = (n / geometry.phasePositions) * geometry.sourceStrides.x
    + group * geometry.sourceChannels * geometry.sourceStrides.y;
  let exists = n < geometry.n;
  @if(TAP_BITS) {
    let size = vec3<i32>(geometry.sourceSize);
    let place = u32((origin.x * size.y + origin.y) * size.z + origin.z) * geometry.sourceStrides.z;
    let bits = select(0u, tapsInside(origin, first, geometry.sourceSize), exists);
    patches[slot] = vec2<u32>(base + place, bits);
  } @else {
    patches[slot] = vec2<u32>(base, select(0u, 1u, exists));
    origins[slot] = vec4<i32>(origin, 0);
  }
}

// Four of K for one result channel, a vector of tileA. `slot` counts k in the block.
fn loadWeights(vector: u32, k: u32, slot: u32) -> vec4<Held> {
  let base = weightPlaces[(vector / TILE_K_VECTORS) % TILE_M];
  @if(PACKED_WEIGHTS) {
    let values = vec4<Held>(valuesOf(weightVectors[base + k / 4u]));
    return select(vec4<Held>(), values, !RAGGED || k < geometry.k);
  } @else {
    var values: vec4<Held>;
    for (var i = 0u; i < 4u; i++) { // @unroll
      let step = weightSteps[slot + i];
      values[i] = select(Held(), Held(weightAt(base + step)), step != NOWHERE);
    }
    return values;
  }
}

fn loadSource(n: u32, step: vec2<u32>) -> Held {
  let taken = patches[n];
  @if(TAP_BITS) {
    let value = sourceOrPixelAt(taken.x + step.x, geometry.pixelScale, geometry.pixelShift);
    return select(Held(), Held(value), (taken.y & step.y) == step.y);
  } @else {
    let at = gatherAt(origins[n].xyz, phaseTapAt(step.y % PHASE_TAPS), geometry.sourceSize);
    let inside = isInside(at, geometry.sourceSize) & (taken.y == 1u) & (step.y != NOWHERE);
    let place = taken.x + step.x + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z;
    let value = sourceOrPixelAt(select(0u, place, inside), geometry.pixelScale, geometry.pixelShift);
    return select(Held(), Held(value), inside);
  }
}

// Of four positions, for a k of the block.
fn loadSources(vector: u32, slot: u32) -> vec4<Held> {
  let step = sourceSteps[slot];
  var values: vec4<Held>;
  for (var j = 0u; j < 4u; j++) { // @unroll
    values[j] = loadSource((vector * 4u) % TILE_N + j, step);
  }
  return values;
}

@compute @workgroup_size(THREADS_N, THREADS_M)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  let firstM = (task % geometry.tilesM) * TILE_M;
  let firstN = ((task / geometry.tilesM) % geometry.tilesN) * TILE_N;
  let outer = task / (geometry.tilesM * geometry.tilesN);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  var begin = 0u;
  var end = geometry.k;
  var firstResult = 0u;
  if (SPLIT_K) {
    let split = slice / phaseCount(geometry.phases);
    begin = split * geometry.kPerSplit;
    end = min(end, begin + geometry.kPerSplit);
    firstResult = split * geometry.resultElements;
  }
  let phase = phaseOffset(slice, geometry.phases);
  let first = firstTap(phase, geometry.padBegin);

  // Each thread loads four positions of every B_STEP-th k, and weights of some m.
  let loadVector = thread % TILE_N_VECTORS;
  let loadK = (thread / TILE_N_VECTORS) % B_STEP;
  for (var i = thread; i < TILE_M; i += THREADS) {
    let channel = min(firstM + i, geometry.resultChannels - 1u);
    @if(PACKED_WEIGHTS) weightPlaces[i] = group * geometry.packedStrides.x + channel * geometry.packedStrides.y;
    @else weightPlaces[i] = group * geometry.weightGroupStride + channel * geometry.weightStrides.x;
  }
  let positions =
    Positions(geometry.phasePositions, geometry.phaseSize, geometry.resultSize, geometry.resultStrides);
  for (var i = thread; i < TILE_N; i += THREADS) {
    findPatch(firstN + i, i, group, phase, first);
    resultPlaces[i] = resultPlace(firstN + i, geometry.n, phase, positions);
  }

  // Reads beyond the last channel mean nothing. They are not stored.
  if (thread == 0u) {
    let firstChannel = group * geometry.resultChannels + firstM;
    tileChannels = vec4<u32>(firstChannel, geometry.resultChannels - firstM, 0u, 0u);
  }

  // Block by block: the result holds what those before have summed.
  var sums: array<vec4<f32>, SUMS>;
  var totals: array<vec4<f32>, SUMS>;
  for (var blockIndex = 0u; blockIndex < MOST_BLOCKS; blockIndex++) {
    let blockK = begin + blockIndex * BLOCK_K;
    if (blockK >= end) {
      break;
    }
    for (var i = 0u; i < SUMS; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    for (var i = thread; i < BLOCK_K; i += THREADS) {
      findStep(blockK + i, i, first);
    }
    workgroupBarrier();
    // One iteration more than there are tiles: each loads a tile, and multiplies the one before.
    let tiles = (min(end - blockK, BLOCK_K) + TILE_K - 1u) / TILE_K;
    var weights: array<vec4<Held>, A_LOADS>;
    var sources: array<vec4<Held>, B_LOADS>;
    for (var tile = 0u; tile < BLOCK_TILES + 1u; tile++) {
      let firstK = tile * TILE_K;
      @if(AHEAD) {
        if (tile < tiles) {
          for (var i = 0u; i < A_LOADS; i++) { // @unroll
            let slot = firstK + ((thread + i * THREADS) % TILE_K_VECTORS) * 4u;
            weights[i] = loadWeights(thread + i * THREADS, blockK + slot, slot);
          }
          for (var i = 0u; i < B_LOADS; i++) { // @unroll
            sources[i] = loadSources(loadVector, firstK + loadK + i * B_STEP);
          }
        }
      }
      if (tile > 0u) {
        multiplyTile(&sums, thread, end - blockK - (firstK - TILE_K));
      }
      if (tile >= tiles) {
        break;
      }
      workgroupBarrier();
      for (var i = 0u; i < A_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        if (EVEN_A || slot < TILE_M * TILE_K_VECTORS) {
          let k = firstK + (slot % TILE_K_VECTORS) * 4u;
          @if(AHEAD) tileA[slot] = weights[i];
          @else tileA[slot] = loadWeights(slot, blockK + k, k);
        }
      }
      for (var i = 0u; i < B_LOADS; i++) { // @unroll
        let k = loadK + i * B_STEP;
        @if(AHEAD) tileB[k * PITCH + loadVector] = sources[i];
        @else tileB[k * PITCH + loadVector] = loadSources(loadVector, firstK + k);
      }
      workgroupBarrier();
    }

    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < SUMS; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        carryTile(&sums, thread, geometry.resultStrides.y, firstResult, blockK > begin, end - blockK > BLOCK_K);
      }
    } @else {
      break;
    }
  }
  storeTile(&sums, thread, geometry.resultStrides.y, firstResult);
}
