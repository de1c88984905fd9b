// Implicit GEMM, forward pass and input gradient: a matrix product in workgroup memory, whose patches are never stored.
//
//   result[m, n] = sum over k of weight[m, k] * patches[k, n]
//
//   m: result channel of a group
//   n: result position, counted through the batch
//   k: (source channel, tap), tap fastest; patches[k, n] is the source element that the tap reads for position n
//
// A workgroup computes a tile of TILE_M x TILE_N. It loads TILE_K of both factors into workgroup memory at a time. Each
// thread holds M_PER_THREAD x (4 * VECTORS_PER_THREAD) sums in registers. A picture: src/solvers/implicitGemm.
// Transposed, the positions of a tile are of one phase (common/phases.wgsl): they read the same taps.
// Dispatch: splitK x phases x groups x tilesN x tilesM workgroups, folded. Tiles along M are neighbours: they read the
// same patches.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::phases::{isOfPhase, phaseCount, phaseIndex, phaseOffset, phasePosition};
import package::common::result::{result, storeResult, Result};
import package::common::source::sourceOrPixelAt;
import package::common::space::flatten;
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, phaseTapAt, tapNumber, tapOf, PHASE_TAPS
};

const THREADS_N: u32 = 16u; // @specialize
const THREADS_M: u32 = 16u; // @specialize
const M_PER_THREAD: u32 = 4u; // @specialize
const VECTORS_PER_THREAD: u32 = 1u; // @specialize
const TILE_K: u32 = 16u; // @specialize
// Vectors of K that are unrolled: a divisor of TILE_K / 4.
const UNROLL: u32 = 1u; // @specialize
// Weights of a channel lie contiguous and aligned: four of K are loaded at once.
const VECTOR_WEIGHT: bool = false; // @specialize
// A pointwise layer where four neighbours along N are four neighbouring source elements.
const VECTOR_SOURCE: bool = false; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.

const THREADS: u32 = THREADS_N * THREADS_M;
const TILE_M: u32 = THREADS_M * M_PER_THREAD;
const TILE_N_VECTORS: u32 = THREADS_N * VECTORS_PER_THREAD;
const TILE_N: u32 = TILE_N_VECTORS * 4u;
const TILE_K_VECTORS: u32 = TILE_K / 4u;
const WEIGHT_LOADS: u32 = (TILE_M * TILE_K_VECTORS + THREADS - 1u) / THREADS;
// Every thread loads as many weights.
const EVEN: bool = TILE_M * TILE_K_VECTORS % THREADS == 0u;
const SOURCE_LOADS: u32 = TILE_K * TILE_N_VECTORS / THREADS;
const SOURCE_STEP: u32 = THREADS / TILE_N_VECTORS;
const BLOCK_TILES: u32 = max(1u, BLOCK_TERMS / TILE_K);

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
  kPerSplit: u32, // a multiple of TILE_K
  resultElements: u32, // from one partial result to the next
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;
// The same buffers again, four elements at a time.
@group(0) @binding(7) var<storage, read> weightVectors: array<vec4<Element>>;
@group(0) @binding(8) var<storage, read> sourceVectors: array<vec4<Element>>;

// Four of K for one of M; and four of N for one of K.
var<workgroup> weightTile: array<vec4<f32>, TILE_M * TILE_K_VECTORS>;
var<workgroup> sourceTile: array<vec4<f32>, TILE_K * TILE_N_VECTORS>;

fn loadWeights(weightBase: u32, k: u32, first: vec3<u32>) -> vec4<f32> {
  if (VECTOR_WEIGHT) {
    return select(vec4<f32>(0.0), vec4<f32>(weightVectors[(weightBase + k) / 4u]), k < geometry.k);
  }
  var values: vec4<f32>;
  for (var i = 0u; i < 4u; i++) { // @unroll
    let channel = (k + i) / PHASE_TAPS;
    let tap = tapOf(first, phaseTapAt((k + i) % PHASE_TAPS));
    let exists = isTap(tap) & (k + i < geometry.k);
    let offset = weightBase + channel * geometry.weightStrides.y + tapNumber(tap) * geometry.weightStrides.z;
    values[i] = select(0.0, f32(weight[select(0u, offset, exists)]), exists);
  }
  return values;
}

fn gatherSource(base: u32, origin: vec3<i32>, phaseTap: vec3<u32>, valid: bool) -> f32 {
  let at = gatherAt(origin, phaseTap, geometry.sourceSize);
  let inside = isInside(at, geometry.sourceSize) & valid;
  let offset = select(0u, base + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z, inside);
  return select(0.0, sourceOrPixelAt(offset, geometry.pixelScale, geometry.pixelShift), inside);
}

fn resultPlace(n: u32, channel: u32, phase: vec3<u32>) -> u32 {
  let index = n % geometry.phasePositions;
  return (n / geometry.phasePositions) * geometry.resultStrides.x + channel * geometry.resultStrides.y
    + phaseIndex(index, geometry.phaseSize, phase, geometry.resultSize) * geometry.resultStrides.z;
}

fn isResult(n: u32, phase: vec3<u32>) -> bool {
  return (n < geometry.n)
    & isOfPhase(n % geometry.phasePositions, geometry.phaseSize, phase, geometry.resultSize);
}

@compute @workgroup_size(THREADS_N, THREADS_M)
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
  let firstM = (task % geometry.tilesM) * TILE_M;
  let nTile = (task / geometry.tilesM) % geometry.tilesN;
  let outer = task / (geometry.tilesM * geometry.tilesN);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  var firstTile = 0u;
  var tiles = (geometry.k + TILE_K - 1u) / TILE_K;
  var firstResult = 0u;
  if (SPLIT_K) {
    let split = slice / phaseCount(geometry.phases);
    firstTile = split * (geometry.kPerSplit / TILE_K);
    tiles = min(tiles, firstTile + geometry.kPerSplit / TILE_K);
    firstResult = split * geometry.resultElements;
  }
  let phase = phaseOffset(slice, geometry.phases);
  let first = firstTap(phase, geometry.padBegin);
  let firstN = nTile * TILE_N;

  // The four positions whose patches this thread loads, the same throughout.
  let loadVector = thread % TILE_N_VECTORS;
  let loadK = thread / TILE_N_VECTORS;
  var origins: array<vec3<i32>, 4>;
  var bases: array<u32, 4>;
  var valid: array<bool, 4>;
  for (var j = 0u; j < 4u; j++) { // @unroll
    let n = firstN + loadVector * 4u + j;
    valid[j] = n < geometry.n;
    let index = n % geometry.phasePositions;
    let position = phasePosition(index, geometry.phaseSize, phase);
    origins[j] = gatherOrigin(vec3<i32>(position), geometry.padBegin, first);
    bases[j] = (n / geometry.phasePositions) * geometry.sourceStrides.x
      + group * geometry.sourceChannels * geometry.sourceStrides.y
      + select(0u, index, VECTOR_SOURCE);
  }

  // Block by block: the result holds what those before have summed.
  var sums: array<vec4<f32>, M_PER_THREAD * VECTORS_PER_THREAD>;
  var totals: array<vec4<f32>, M_PER_THREAD * VECTORS_PER_THREAD>;
  for (var blockTile = firstTile; blockTile < tiles; blockTile += BLOCK_TILES) {
    for (var i = 0u; i < M_PER_THREAD * VECTORS_PER_THREAD; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    let blockEnd = min(tiles, blockTile + BLOCK_TILES);
    for (var tile = blockTile; tile < blockEnd; tile++) {
      let firstK = tile * TILE_K;
      for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        let channel = min(firstM + slot / TILE_K_VECTORS, geometry.resultChannels - 1u);
        let weightBase = group * geometry.weightGroupStride + channel * geometry.weightStrides.x;
        if (EVEN || slot < TILE_M * TILE_K_VECTORS) {
          weightTile[slot] = loadWeights(weightBase, firstK + (slot % TILE_K_VECTORS) * 4u, first);
        }
      }
      for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
        let kInTile = loadK + i * SOURCE_STEP;
        let k = firstK + kInTile;
        let channel = (k / PHASE_TAPS) * geometry.sourceStrides.y;
        var values: vec4<f32>;
        if (VECTOR_SOURCE) {
          let here = valid[0] & (k < geometry.k);
          values = select(vec4<f32>(0.0), vec4<f32>(sourceVectors[select(0u, (bases[0] + channel) / 4u, here)]), here);
        } else {
          for (var j = 0u; j < 4u; j++) { // @unroll
            let exists = valid[j] & (k < geometry.k);
            values[j] = gatherSource(bases[j] + channel, origins[j], phaseTapAt(k % PHASE_TAPS), exists);
          }
        }
        sourceTile[kInTile * TILE_N_VECTORS + loadVector] = values;
      }
      workgroupBarrier();

      for (var turn = 0u; turn < TILE_K_VECTORS / UNROLL; turn++) {
        for (var u = 0u; u < UNROLL; u++) { // @unroll
          let kVector = turn * UNROLL + u;
          var patches: array<vec4<f32>, 4u * VECTORS_PER_THREAD>;
          for (var i = 0u; i < 4u; i++) { // @unroll
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              patches[i * VECTORS_PER_THREAD + v]
                = sourceTile[(kVector * 4u + i) * TILE_N_VECTORS + v * THREADS_N + local.x];
            }
          }
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            let factors = weightTile[(local.y * M_PER_THREAD + m) * TILE_K_VECTORS + kVector];
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              sums[m * VECTORS_PER_THREAD + v] += factors.x * patches[v];
              sums[m * VECTORS_PER_THREAD + v] += factors.y * patches[VECTORS_PER_THREAD + v];
              sums[m * VECTORS_PER_THREAD + v] += factors.z * patches[2u * VECTORS_PER_THREAD + v];
              sums[m * VECTORS_PER_THREAD + v] += factors.w * patches[3u * VECTORS_PER_THREAD + v];
            }
          }
        }
      }
      workgroupBarrier();
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
          let n = firstN + (v * THREADS_N + local.x) * 4u;
          let threadM = firstM + local.y * M_PER_THREAD;
          let channel = group * geometry.resultChannels + threadM;
          @if(VECTOR_RESULT) {
            let base = (firstResult + resultPlace(n, channel, phase)) / 4u;
            if (blockTile > firstTile) {
              for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
                sums[m * VECTORS_PER_THREAD + v] += vec4<f32>(result[base + m * (geometry.resultStrides.y / 4u)]);
              }
            }
            if (blockEnd < tiles && n < geometry.n) {
              for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
                if (threadM + m < geometry.resultChannels) {
                  result[base + m * (geometry.resultStrides.y / 4u)] = Result(sums[m * VECTORS_PER_THREAD + v]);
                }
              }
            }
          } @else {
            for (var j = 0u; j < 4u; j++) { // @unroll
              let base = firstResult + resultPlace(n + j, channel, phase);
              if (blockTile > firstTile) {
                for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
                  sums[m * VECTORS_PER_THREAD + v][j] += f32(result[base + m * geometry.resultStrides.y]);
                }
              }
              if (blockEnd < tiles && isResult(n + j, phase)) {
                for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
                  if (threadM + m < geometry.resultChannels) {
                    result[base + m * geometry.resultStrides.y] = Result(sums[m * VECTORS_PER_THREAD + v][j]);
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
    @if(VECTOR_RESULT) {
      let n = firstN + (v * THREADS_N + local.x) * 4u;
      if (n < geometry.n) {
        let base = (n / geometry.phasePositions) * geometry.resultStrides.x + n % geometry.phasePositions;
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          let groupChannel = firstM + local.y * M_PER_THREAD + m;
          if (groupChannel < geometry.resultChannels) {
            let channel = group * geometry.resultChannels + groupChannel;
            let place = (base + channel * geometry.resultStrides.y) / 4u;
            storeResult(sums[m * VECTORS_PER_THREAD + v], channel, place, firstResult / 4u);
          }
        }
      }
    } @else {
      for (var j = 0u; j < 4u; j++) { // @unroll
        let n = firstN + (v * THREADS_N + local.x) * 4u + j;
        if (isResult(n, phase)) {
          let base = resultPlace(n, 0u, phase);
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            let groupChannel = firstM + local.y * M_PER_THREAD + m;
            if (groupChannel < geometry.resultChannels) {
              let channel = group * geometry.resultChannels + groupChannel;
              storeResult(
                sums[m * VECTORS_PER_THREAD + v][j], channel, base + channel * geometry.resultStrides.y, firstResult
              );
            }
          }
        }
      }
    }
  }
}
