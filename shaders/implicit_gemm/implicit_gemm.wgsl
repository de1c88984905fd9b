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
import package::common::phases::{phaseCount, phaseOffset, phasePosition};
import package::common::product_result::{carryTile, resultPlace, resultPlaces, storeTile, Channels, Positions};
import package::common::product_tile::{
  multiplyTile, tileA, tileB, A_LOADS, B_LOADS, B_STEP, EVEN_A, M_PER_THREAD, PITCH, SUMS, THREADS, THREADS_M,
  THREADS_N, TILE_K, TILE_K_VECTORS, TILE_M, TILE_N, TILE_N_VECTORS
};
import package::common::source::sourceOrPixelAt;
import package::common::space::flatten;
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, phaseTapAt, tapNumber, tapOf, PHASE_TAPS
};

// Weights of a channel lie contiguous and aligned: four of K are loaded at once.
const VECTOR_WEIGHT: bool = false; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.

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
// The weights again, four elements at a time.
@group(0) @binding(7) var<storage, read> weightVectors: array<vec4<Element>>;

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
      + group * geometry.sourceChannels * geometry.sourceStrides.y;
  }
  let positions =
    Positions(geometry.phasePositions, geometry.phaseSize, geometry.resultSize, geometry.resultStrides);
  for (var i = thread; i < TILE_N; i += THREADS) {
    resultPlaces[i / 4u][i % 4u] = resultPlace(firstN + i, geometry.n, phase, positions);
  }

  // What it sums. Reads beyond the last channel mean nothing. They are not stored.
  let firstOfThread = firstM + local.y * M_PER_THREAD;
  let channels = Channels(
    group * geometry.resultChannels + firstOfThread,
    geometry.resultChannels - min(firstOfThread, geometry.resultChannels),
    geometry.resultStrides.y
  );

  // Block by block: the result holds what those before have summed.
  var sums: array<vec4<f32>, SUMS>;
  var totals: array<vec4<f32>, SUMS>;
  for (var blockTile = firstTile; blockTile < tiles; blockTile += BLOCK_TILES) {
    for (var i = 0u; i < SUMS; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    let blockEnd = min(tiles, blockTile + BLOCK_TILES);
    for (var tile = blockTile; tile < blockEnd; tile++) {
      let firstK = tile * TILE_K;
      for (var i = 0u; i < A_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        let channel = min(firstM + slot / TILE_K_VECTORS, geometry.resultChannels - 1u);
        let weightBase = group * geometry.weightGroupStride + channel * geometry.weightStrides.x;
        if (EVEN_A || slot < TILE_M * TILE_K_VECTORS) {
          tileA[slot] = loadWeights(weightBase, firstK + (slot % TILE_K_VECTORS) * 4u, first);
        }
      }
      for (var i = 0u; i < B_LOADS; i++) { // @unroll
        let kInTile = loadK + i * B_STEP;
        let k = firstK + kInTile;
        let channel = (k / PHASE_TAPS) * geometry.sourceStrides.y;
        var values: vec4<f32>;
        for (var j = 0u; j < 4u; j++) { // @unroll
          let exists = valid[j] & (k < geometry.k);
          values[j] = gatherSource(bases[j] + channel, origins[j], phaseTapAt(k % PHASE_TAPS), exists);
        }
        tileB[kInTile * PITCH + loadVector] = values;
      }
      workgroupBarrier();

      multiplyTile(&sums, local);
      workgroupBarrier();
    }

    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < SUMS; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        carryTile(&sums, local, channels, firstResult, blockTile > firstTile, blockEnd < tiles);
      }
    } @else {
      break;
    }
  }
  storeTile(&sums, local, channels, firstResult);
}
