// Tap GEMM, forward pass and input gradient: implicit GEMM (implicit_gemm.wgsl) whose K goes tap by tap.
//
//   result[m, n] = sum over taps t, then over source channels c, of weight[m, t, c] * source[c, where n reads it for t]
//
//   m: result channel of a group
//   n: result position, counted through the batch
//   k: (tap, source channel), channel fastest. Each tap takes whole tiles of TILE_K channels
//
// A workgroup computes a tile of TILE_M x TILE_N. It loads TILE_K of both factors into workgroup memory at a time. Each
// thread holds M_PER_THREAD x (4 * VECTORS_PER_THREAD) sums in registers, and with AHEAD what it loads for the next
// tile of K while this one is multiplied. Where positions read the source is computed when a tap begins, by one thread
// for each; the next channel lies one stride further.
// Transposed, the positions of a tile are of one phase (common/phases.wgsl). A phase has taps of its own, perhaps none.
// Weights are packed (pack_weights.wgsl): the channels of a tap lie in whole vectors of four.
// Dispatch: splitK x phases x groups x tilesN x tilesM workgroups, folded. Tiles along M are neighbours: they read the
// same sources.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::phases::{isOfPhase, phaseCount, phaseIndex, phaseOffset, phasePosition};
import package::common::result::{carrySum, storeResult};
import package::common::source::sourceAt;
import package::common::space::flatten;
import package::common::taps::{firstTap, gatherAt, gatherOrigin, isInside, tapCounts, tapNumber, tapOf};

const THREADS_N: u32 = 16u; // @specialize
const THREADS_M: u32 = 16u; // @specialize
const M_PER_THREAD: u32 = 4u; // @specialize
const VECTORS_PER_THREAD: u32 = 1u; // @specialize
const TILE_K: u32 = 16u; // @specialize
// Vectors of K that are unrolled: a divisor of TILE_K / 4.
const UNROLL: u32 = 1u; // @specialize
// The source channels are no multiple of TILE_K.
const RAGGED: bool = false; // @specialize
// A pointwise layer where four neighbours along N are four neighbouring source elements.
const VECTOR_SOURCE: bool = false; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition CHANNEL_VECTORS: the channels of a position lie together, in whole vectors. Four of K are loaded at once
// for one n.
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.
// Condition AHEAD: a thread loads its part of the next tile while this one is multiplied, and keeps it in registers.

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
// Places that a thread loads from; and vectors from one k of the source's tile to the next. With one more than N,
// threads that write neighbours along K use different banks of workgroup memory.
@if(CHANNEL_VECTORS) const PLACES: u32 = SOURCE_LOADS;
@else const PLACES: u32 = 4u;
@if(CHANNEL_VECTORS) const SOURCE_PITCH: u32 = TILE_N_VECTORS + 1u;
@else const SOURCE_PITCH: u32 = TILE_N_VECTORS;
const BLOCK_TILES: u32 = max(1u, BLOCK_TERMS / TILE_K);

// The place of what does not exist.
const NOWHERE: u32 = 0xffffffffu;

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
  tapTiles: u32, // of a tap: ceil(sourceChannels / TILE_K)
  groups: u32,
  tilesM: u32,
  tilesN: u32,
  tasks: u32, // splits * phases * groups * tilesM * tilesN
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  packedStrides: vec3<u32>, // in vectors: group, result channel, tap
  packedChannels: u32, // sourceChannels, rounded up to fours
  tilesPerSplit: u32,
  resultElements: u32, // from one partial result to the next
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weightVectors: array<vec4<Element>>;
// The source again, four elements at a time.
@group(0) @binding(7) var<storage, read> sourceVectors: array<vec4<Element>>;

// Of each n of the tile: where its taps begin, and the place of its sample; where its results go in the first channel;
// and where it reads the source for this tap in the first channel.
var<workgroup> origins: array<vec4<i32>, TILE_N>;
var<workgroup> resultPlaces: array<vec4<u32>, TILE_N_VECTORS>;
var<workgroup> sourcePlaces: array<vec4<u32>, TILE_N_VECTORS>;
// Four of K for one of M; and four of N for one of K.
var<workgroup> weightTile: array<vec4<f32>, TILE_M * TILE_K_VECTORS>;
var<workgroup> sourceTile: array<vec4<f32>, TILE_K * SOURCE_PITCH>;

// Four weights of one m: vector `vector` of those from `channel` on.
fn loadWeights(place: u32, channel: u32, vector: u32) -> vec4<f32> {
  let values = vec4<f32>(weightVectors[place + channel / 4u]);
  return select(vec4<f32>(0.0), values, !RAGGED || channel + vector * 4u < geometry.packedChannels);
}

// Vector `i` of those that a thread loads from `channel` on: four of N for one k, or four of K for one n.
fn loadSources(
  places: array<u32, PLACES>, inside: array<bool, PLACES>, channel: u32, loadK: u32, thread: u32, i: u32
) -> vec4<f32> {
  var values: vec4<f32>;
  @if(CHANNEL_VECTORS) {
    let vector = (thread + i * THREADS) % TILE_K_VECTORS;
    let exists = inside[i] && (!RAGGED || channel + vector * 4u < geometry.sourceChannels);
    values = select(vec4<f32>(0.0), vec4<f32>(sourceVectors[places[i] + channel / 4u + vector]), exists);
  } @else {
    let further = (channel + i * SOURCE_STEP) * geometry.sourceStrides.y;
    let exists = !RAGGED || channel + loadK + i * SOURCE_STEP < geometry.sourceChannels;
    if (VECTOR_SOURCE) {
      return select(vec4<f32>(0.0), vec4<f32>(sourceVectors[places[0] + further / 4u]), exists);
    }
    for (var j = 0u; j < 4u; j++) { // @unroll
      values[j] = select(0.0, sourceAt(places[j] + further), inside[j] & exists);
    }
  }
  return values;
}

fn resultPlace(position: u32, phase: vec3<u32>) -> u32 {
  let index = position % geometry.phasePositions;
  let place = (position / geometry.phasePositions) * geometry.resultStrides.x
    + phaseIndex(index, geometry.phaseSize, phase, geometry.resultSize) * geometry.resultStrides.z;
  let exists = (position < geometry.n) & isOfPhase(index, geometry.phaseSize, phase, geometry.resultSize);
  return select(NOWHERE, place, exists);
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
  let firstN = ((task / geometry.tilesM) % geometry.tilesN) * TILE_N;
  let outer = task / (geometry.tilesM * geometry.tilesN);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  let phase = phaseOffset(slice, geometry.phases);
  let first = firstTap(phase, geometry.padBegin);
  let counts = tapCounts(first);
  var firstTile = 0u;
  var tiles = counts.x * counts.y * counts.z * geometry.tapTiles;
  var firstResult = 0u;
  if (SPLIT_K) {
    let split = slice / phaseCount(geometry.phases);
    firstTile = split * geometry.tilesPerSplit;
    tiles = min(tiles, firstTile + geometry.tilesPerSplit);
    firstResult = split * geometry.resultElements;
  }

  // Positions beyond the last one mean nothing, and are not stored. Likewise channels.
  for (var i = thread; i < TILE_N; i += THREADS) {
    let position = firstN + i;
    let index = position % geometry.phasePositions;
    let origin = gatherOrigin(vec3<i32>(phasePosition(index, geometry.phaseSize, phase)), geometry.padBegin, first);
    let sample = (position / geometry.phasePositions) * geometry.sourceStrides.x;
    origins[i] = vec4<i32>(origin, i32(sample + select(0u, index, VECTOR_SOURCE)));
    resultPlaces[i / 4u][i % 4u] = resultPlace(position, phase);
  }
  workgroupBarrier();

  // What this thread loads, the same throughout: four of N for one k, or of K for one n;
  let loadVector = thread % TILE_N_VECTORS;
  let loadK = thread / TILE_N_VECTORS;
  let loadBase = (group * geometry.sourceChannels + loadK) * geometry.sourceStrides.y;
  var places: array<u32, PLACES>;
  var inside: array<bool, PLACES>;
  if (VECTOR_SOURCE) {
    places[0] = (loadBase + u32(origins[loadVector * 4u].w)) / 4u;
  }
  // and weights of some m.
  var weightPlaces: array<u32, WEIGHT_LOADS>;
  for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
    let slot = thread + i * THREADS;
    let channel = min(firstM + slot / TILE_K_VECTORS, geometry.resultChannels - 1u);
    weightPlaces[i] = group * geometry.packedStrides.x + channel * geometry.packedStrides.y + slot % TILE_K_VECTORS;
  }

  // What it sums.
  let firstOfThread = firstM + local.y * M_PER_THREAD;
  let firstChannel = group * geometry.resultChannels + firstOfThread;
  let firstPlace = firstResult + firstChannel * geometry.resultStrides.y;

  // Block by block: the result holds the sums of those before.
  var sums: array<vec4<f32>, M_PER_THREAD * VECTORS_PER_THREAD>;
  var totals: array<vec4<f32>, M_PER_THREAD * VECTORS_PER_THREAD>;
  var weights: array<vec4<f32>, WEIGHT_LOADS>;
  var sources: array<vec4<f32>, SOURCE_LOADS>;
  var tap = firstTile / geometry.tapTiles;
  var channel = (firstTile % geometry.tapTiles) * TILE_K;
  var tapPlace = 0u;
  for (var blockTile = firstTile; blockTile < tiles; blockTile += BLOCK_TILES) {
    for (var i = 0u; i < M_PER_THREAD * VECTORS_PER_THREAD; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    let blockEnd = min(tiles, blockTile + BLOCK_TILES);
    // One iteration more than there are tiles: each loads a tile, and multiplies the one before.
    for (var tile = blockTile; ; tile++) {
      if (tile < blockEnd) {
        if (!VECTOR_SOURCE && (channel == 0u || tile == firstTile)) {
          let row = tap / counts.z;
          let step = vec3<u32>(row / counts.y, row % counts.y, tap % counts.z);
          tapPlace = tapNumber(tapOf(first, step)) * geometry.packedStrides.z;
          for (var i = thread; i < TILE_N; i += THREADS) {
            let origin = origins[i];
            let at = gatherAt(origin.xyz, step, geometry.sourceSize);
            let place = u32(origin.w) + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z;
            sourcePlaces[i / 4u][i % 4u] = select(NOWHERE, place, isInside(at, geometry.sourceSize));
          }
          workgroupBarrier();
          for (var i = 0u; i < PLACES; i++) { // @unroll
            @if(CHANNEL_VECTORS) {
              let n = (thread + i * THREADS) / TILE_K_VECTORS;
              let found = sourcePlaces[n / 4u][n % 4u];
              places[i] = (found + group * geometry.sourceChannels) / 4u;
              inside[i] = found != NOWHERE;
            } @else {
              places[i] = sourcePlaces[loadVector][i] + loadBase;
              inside[i] = sourcePlaces[loadVector][i] != NOWHERE;
            }
          }
        }
        @if(AHEAD) {
          for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
            weights[i] = loadWeights(weightPlaces[i] + tapPlace, channel, (thread + i * THREADS) % TILE_K_VECTORS);
          }
          for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
            sources[i] = loadSources(places, inside, channel, loadK, thread, i);
          }
        }
      }
      if (tile > blockTile) {
        for (var turn = 0u; turn < TILE_K_VECTORS / UNROLL; turn++) {
          for (var u = 0u; u < UNROLL; u++) { // @unroll
            let k = turn * UNROLL + u;
            var patches: array<vec4<f32>, 4u * VECTORS_PER_THREAD>;
            for (var i = 0u; i < 4u; i++) { // @unroll
              for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
                let place = (k * 4u + i) * SOURCE_PITCH + v * THREADS_N + local.x;
                patches[i * VECTORS_PER_THREAD + v] = sourceTile[place];
              }
            }
            for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
              let factors = weightTile[(local.y * M_PER_THREAD + r) * TILE_K_VECTORS + k];
              for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
                sums[r * VECTORS_PER_THREAD + v] += factors.x * patches[v];
                sums[r * VECTORS_PER_THREAD + v] += factors.y * patches[VECTORS_PER_THREAD + v];
                sums[r * VECTORS_PER_THREAD + v] += factors.z * patches[2u * VECTORS_PER_THREAD + v];
                sums[r * VECTORS_PER_THREAD + v] += factors.w * patches[3u * VECTORS_PER_THREAD + v];
              }
            }
          }
        }
      }
      if (tile >= blockEnd) {
        break;
      }
      workgroupBarrier();
      for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        if (EVEN || slot < TILE_M * TILE_K_VECTORS) {
          @if(AHEAD) weightTile[slot] = weights[i];
          @else weightTile[slot] = loadWeights(weightPlaces[i] + tapPlace, channel, slot % TILE_K_VECTORS);
        }
      }
      for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
        @if(AHEAD) let values = sources[i];
        @else let values = loadSources(places, inside, channel, loadK, thread, i);
        @if(CHANNEL_VECTORS) {
          let slot = thread + i * THREADS;
          let n = slot / TILE_K_VECTORS;
          for (var j = 0u; j < 4u; j++) { // @unroll
            sourceTile[((slot % TILE_K_VECTORS) * 4u + j) * SOURCE_PITCH + n / 4u][n % 4u] = values[j];
          }
        } @else {
          sourceTile[(loadK + i * SOURCE_STEP) * SOURCE_PITCH + loadVector] = values;
        }
      }
      channel += TILE_K;
      if (channel >= geometry.sourceChannels) {
        channel = 0u;
        tap++;
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
        let earlier = blockTile > firstTile;
        let later = blockEnd < tiles;
        for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
          let places = resultPlaces[v * THREADS_N + local.x];
          @if(VECTOR_RESULT) {
            for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
              let stored = later && places.x != NOWHERE && firstOfThread + r < geometry.resultChannels;
              let place = (firstPlace + places.x + r * geometry.resultStrides.y) / 4u;
              sums[r * VECTORS_PER_THREAD + v] = carrySum(sums[r * VECTORS_PER_THREAD + v], place, earlier, stored);
            }
          } @else {
            for (var j = 0u; j < 4u; j++) { // @unroll
              for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
                let stored = later && places[j] != NOWHERE && firstOfThread + r < geometry.resultChannels;
                let place = firstPlace + places[j] + r * geometry.resultStrides.y;
                let sum = sums[r * VECTORS_PER_THREAD + v][j];
                sums[r * VECTORS_PER_THREAD + v][j] = carrySum(sum, place, earlier, stored);
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
    let places = resultPlaces[v * THREADS_N + local.x];
    @if(VECTOR_RESULT) {
      for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
        if (places.x != NOWHERE && firstOfThread + r < geometry.resultChannels) {
          let place = (places.x + (firstChannel + r) * geometry.resultStrides.y) / 4u;
          storeResult(sums[r * VECTORS_PER_THREAD + v], firstChannel + r, place, firstResult / 4u);
        }
      }
    } @else {
      for (var j = 0u; j < 4u; j++) { // @unroll
        for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
          if (places[j] != NOWHERE && firstOfThread + r < geometry.resultChannels) {
            let place = places[j] + (firstChannel + r) * geometry.resultStrides.y;
            storeResult(sums[r * VECTORS_PER_THREAD + v][j], firstChannel + r, place, firstResult);
          }
        }
      }
    }
  }
}
