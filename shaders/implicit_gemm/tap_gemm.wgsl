// Tap GEMM, forward pass and input gradient: implicit GEMM (implicit_gemm.wgsl) whose K goes tap by tap.
//
//   result[m, n] = sum over taps t, then over source channels c, of weight[m, t, c] * source[c, where n reads it for t]
//
//   m: result channel of a group
//   n: result position, counted through the batch
//   k: (tap, source channel), channel fastest. Each tap begins with a tile of its own
//
// A workgroup computes a tile of TILE_M x TILE_N. It loads TILE_K of both factors into workgroup memory at a time. Each
// thread holds M_PER_THREAD x (4 * VECTORS_PER_THREAD) sums in registers, and with AHEAD what it loads for the next
// tile of K while this one is multiplied. Where positions read the source is computed when a tap begins, by one thread
// for each; the next channel lies one stride further.
// Transposed, the positions of a tile are of one phase (common/phases.wgsl). A phase has taps of its own, perhaps none.
// Weights are packed (pack_weights.wgsl): the source channels of a tap lie in whole vectors of four.
// On condition CHANNEL_VECTORS the channels of a position lie together. M and N change places then, so that vectors of
// the source and of the result are of channels: m is a position, n a result channel. Packed weights have the result
// channels of a tap and source channel in whole vectors.
// Dispatch: splitK x phases x groups x positionTiles x channelTiles workgroups, folded. Tiles along channels are
// neighbours: they read the same sources.
import package::common::element::{valuesOf, Vector};
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::phases::{phaseCount, phaseOffset, phasePosition};
import package::common::product_result::{
  carryTile, resultPlace, resultPlaces, storeTile, Channels, NOWHERE, Positions, TILE_POSITIONS
};
import package::common::product_tile::{
  multiplyTile, tileA, tileB, B_STEP, EVEN_A, Held, M_PER_THREAD, PITCH, RAGGED, SUMS, THREADS, THREADS_M,
  THREADS_N, TILE_K, TILE_K_VECTORS, TILE_M, TILE_N, TILE_N_VECTORS
};
import package::common::epilogue::{maskGradients, MASKED};
import package::common::source::sourceAt;
import package::common::space::flatten;
import package::common::taps::{firstTap, gatherAt, gatherOrigin, isInside, tapCounts, tapNumber, tapOf};

// Four neighbours of a position's channels, or of a pointwise layer's positions, are one aligned vector of the source.
const VECTOR_SOURCE: bool = false; // @specialize
// Positions read the source at their own number.
const POINTWISE: bool = false; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.
// Condition AHEAD: a thread loads its part of the next tile while this one is multiplied, and keeps it in registers.

const TILE_CHANNELS: u32 = TILE_M * TILE_N / TILE_POSITIONS;
// Vectors that a thread loads for a tile of K.
const SOURCE_LOADS: u32 = (TILE_POSITIONS * TILE_K_VECTORS + THREADS - 1u) / THREADS;
const WEIGHT_LOADS: u32 = (TILE_CHANNELS * TILE_K_VECTORS + THREADS - 1u) / THREADS;
// Vectors of sources that do not lie side by side.
@if(CHANNEL_VECTORS) const FOUND: u32 = SOURCE_LOADS;
@else const FOUND: u32 = 1u;
const BLOCK_TILES: u32 = max(1u, BLOCK_TERMS / TILE_K);
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
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  tapTiles: u32, // of a tap: ceil(sourceChannels / TILE_K)
  groups: u32,
  channelTiles: u32,
  positionTiles: u32,
  tasks: u32, // splits * phases * groups * channelTiles * positionTiles
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  packedStrides: vec3<u32>, // in vectors: group, result channel (CHANNEL_VECTORS: source channel), tap
  packedChannels: u32, // sourceChannels, rounded up to fours
  tilesPerSplit: u32,
  resultElements: u32, // from one partial result to the next
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weightVectors: array<Vector>;
// The source again, four elements at a time.
@group(0) @binding(7) var<storage, read> sourceVectors: array<Vector>;
@group(0) @binding(8) var<storage, read> activatedVectors: array<Vector>;

// What a thread loads lies in workgroup memory, and takes no registers while it multiplies; on condition KEEPS_PLACES
// it is kept in registers, where these are many. Of each position of the tile: where its taps begin, and the place of
// its sample; and where it reads the source for this tap in the first channel. Of each channel: where its weights
// begin.
var<workgroup> origins: array<vec4<i32>, TILE_POSITIONS>;
@if(CHANNEL_VECTORS) var<workgroup> sourcePlaces: array<u32, TILE_POSITIONS>;
@else var<workgroup> sourcePlaces: array<vec4<u32>, TILE_N_VECTORS>;
var<workgroup> weightPlaces: array<u32, TILE_CHANNELS>;

fn keepPlace(position: u32, place: u32) {
  @if(CHANNEL_VECTORS) sourcePlaces[position] = place;
  @else sourcePlaces[position / 4u][position % 4u] = place;
}

fn sourceVectorAt(vector: u32) -> vec4<Held> {
  let values = valuesOf(sourceVectors[vector]);
  if (MASKED) {
    return vec4<Held>(maskGradients(values, valuesOf(activatedVectors[vector])));
  }
  return vec4<Held>(values);
}

// Where vector `i` of the weights lies that a thread loads, in the first channel of the first tap.
fn findWeights(thread: u32, i: u32) -> u32 {
  @if(CHANNEL_VECTORS) {
    return weightPlaces[(thread % TILE_N_VECTORS) * 4u] + (thread / TILE_N_VECTORS) * geometry.packedStrides.y;
  } @else {
    let slot = thread + i * THREADS;
    return weightPlaces[(slot / TILE_K_VECTORS) % TILE_CHANNELS] + slot % TILE_K_VECTORS;
  }
}

// Where the sources of vector `i` lie for this tap, in the first channel, and whether they exist.
struct Found {
  places: vec4<u32>,
  exist: vec4<bool>,
}

fn findSources(groupBase: u32, thread: u32, i: u32) -> Found {
  @if(CHANNEL_VECTORS) {
    let slot = thread + i * THREADS;
    let place = sourcePlaces[min(slot / TILE_K_VECTORS, TILE_POSITIONS - 1u)];
    return Found(vec4<u32>(place + groupBase + (slot % TILE_K_VECTORS) * 4u), vec4<bool>(place != NOWHERE));
  } @else {
    let places = sourcePlaces[thread % TILE_N_VECTORS];
    let further = groupBase + (thread / TILE_N_VECTORS) * geometry.sourceStrides.y;
    return Found(places + vec4<u32>(further), places != vec4<u32>(NOWHERE));
  }
}

// Vector `i` of the weights that a thread loads from `channel` on.
fn loadWeights(first: u32, tapPlace: u32, channel: u32, thread: u32, i: u32) -> vec4<Held> {
  var exists = true;
  var place = first;
  @if(CHANNEL_VECTORS) {
    exists = channel + thread / TILE_N_VECTORS + i * B_STEP < geometry.sourceChannels;
    place += tapPlace + (channel + i * B_STEP) * geometry.packedStrides.y;
  } @else {
    exists = channel + ((thread + i * THREADS) % TILE_K_VECTORS) * 4u < geometry.packedChannels;
    place += tapPlace + channel / 4u;
  }
  return select(vec4<Held>(), vec4<Held>(valuesOf(weightVectors[place])), !RAGGED || exists);
}

// Vector `i` of the sources that a thread loads from `channel` on: four of N for one k, or four of K for one m.
fn loadSources(found: Found, channel: u32, thread: u32, i: u32) -> vec4<Held> {
  var values: vec4<Held>;
  @if(CHANNEL_VECTORS) {
    let k = channel + ((thread + i * THREADS) % TILE_K_VECTORS) * 4u;
    let place = found.places.x + channel;
    if (VECTOR_SOURCE) {
      let exists = found.exist.x && (!RAGGED || k < geometry.sourceChannels);
      return select(vec4<Held>(), sourceVectorAt(place / 4u), exists);
    }
    for (var j = 0u; j < 4u; j++) { // @unroll
      let exists = found.exist.x && (!RAGGED || k + j < geometry.sourceChannels);
      values[j] = select(Held(), Held(sourceAt(place + j)), exists);
    }
  } @else {
    let further = (channel + i * B_STEP) * geometry.sourceStrides.y;
    let exists = !RAGGED || channel + thread / TILE_N_VECTORS + i * B_STEP < geometry.sourceChannels;
    if (VECTOR_SOURCE) {
      return select(vec4<Held>(), sourceVectorAt(found.places.x / 4u + further / 4u), exists);
    }
    for (var j = 0u; j < 4u; j++) { // @unroll
      let value = Held(sourceAt(found.places[j] + further));
      values[j] = select(Held(), value, (POINTWISE || found.exist[j]) & exists);
    }
  }
  return values;
}

fn keepA(slot: u32, values: vec4<Held>) {
  if (EVEN_A || slot < TILE_M * TILE_K_VECTORS) {
    tileA[slot] = values;
  }
}

fn keepB(thread: u32, i: u32, values: vec4<Held>) {
  tileB[(thread / TILE_N_VECTORS + i * B_STEP) * PITCH + thread % TILE_N_VECTORS] = values;
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
  let firstChannel = (task % geometry.channelTiles) * TILE_CHANNELS;
  let firstPosition = ((task / geometry.channelTiles) % geometry.positionTiles) * TILE_POSITIONS;
  let outer = task / (geometry.channelTiles * geometry.positionTiles);
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
  let positions =
    Positions(geometry.phasePositions, geometry.phaseSize, geometry.resultSize, geometry.resultStrides);
  for (var i = thread; i < TILE_POSITIONS; i += THREADS) {
    let position = firstPosition + i;
    let index = position % geometry.phasePositions;
    let origin = gatherOrigin(vec3<i32>(phasePosition(index, geometry.phaseSize, phase)), geometry.padBegin, first);
    let sample = (position / geometry.phasePositions) * geometry.sourceStrides.x;
    origins[i] = vec4<i32>(origin, i32(sample));
    if (POINTWISE) {
      keepPlace(i, select(NOWHERE, sample + index * geometry.sourceStrides.z, position < geometry.n));
    }
    resultPlaces[i] = resultPlace(position, geometry.n, phase, positions);
  }
  for (var i = thread; i < TILE_CHANNELS; i += THREADS) {
    let channel = min(firstChannel + i, geometry.resultChannels - 1u);
    @if(CHANNEL_VECTORS) weightPlaces[i] = group * geometry.packedStrides.x + channel / 4u;
    @else weightPlaces[i] = group * geometry.packedStrides.x + channel * geometry.packedStrides.y;
  }
  workgroupBarrier();
  let groupBase = group * geometry.sourceChannels * geometry.sourceStrides.y;
  var weightsAt: array<u32, WEIGHT_LOADS>;
  var found: array<Found, FOUND>;
  @if(KEEPS_PLACES) {
    for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
      weightsAt[i] = findWeights(thread, i);
    }
    if (POINTWISE) {
      for (var i = 0u; i < FOUND; i++) { // @unroll
        found[i] = findSources(groupBase, thread, i);
      }
    }
  }

  // What it sums.
  @if(CHANNEL_VECTORS) let ownChannel = local.x * 4u;
  @else let ownChannel = local.y * M_PER_THREAD;
  let firstOfThread = firstChannel + ownChannel;
  let channels = Channels(
    group * geometry.resultChannels + firstOfThread,
    geometry.resultChannels - min(firstOfThread, geometry.resultChannels),
    geometry.resultStrides.y
  );

  // Block by block: the result holds the sums of those before.
  var sums: array<vec4<f32>, SUMS>;
  var totals: array<vec4<f32>, SUMS>;
  var weights: array<vec4<Held>, WEIGHT_LOADS>;
  var sources: array<vec4<Held>, SOURCE_LOADS>;
  var tap = firstTile / geometry.tapTiles;
  var channel = (firstTile % geometry.tapTiles) * TILE_K;
  var tapPlace = 0u;
  // Channels of a tap's last tile.
  let lastOfTap = geometry.sourceChannels - (geometry.tapTiles - 1u) * TILE_K;
  for (var blockIndex = 0u; blockIndex < MOST_BLOCKS; blockIndex++) {
    let blockTile = firstTile + blockIndex * BLOCK_TILES;
    if (blockTile >= tiles) {
      break;
    }
    for (var i = 0u; i < SUMS; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    let blockEnd = min(tiles, blockTile + BLOCK_TILES);
    // One iteration more than there are tiles: each loads a tile, and multiplies the one before.
    for (var turn = 0u; turn < BLOCK_TILES + 1u; turn++) {
      let tile = blockTile + turn;
      if (tile < blockEnd) {
        if (!POINTWISE && (channel == 0u || tile == firstTile)) {
          let row = tap / counts.z;
          let step = vec3<u32>(row / counts.y, row % counts.y, tap % counts.z);
          tapPlace = tapNumber(tapOf(first, step)) * geometry.packedStrides.z;
          for (var i = thread; i < TILE_POSITIONS; i += THREADS) {
            let origin = origins[i];
            let at = gatherAt(origin.xyz, step, geometry.sourceSize);
            let start = u32(origin.w) + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z;
            let place = select(NOWHERE, start, isInside(at, geometry.sourceSize));
            keepPlace(i, place);
          }
          workgroupBarrier();
          @if(KEEPS_PLACES) {
            for (var i = 0u; i < FOUND; i++) { // @unroll
              found[i] = findSources(groupBase, thread, i);
            }
          }
        }
        @if(AHEAD) {
          for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
            @if(KEEPS_PLACES) let place = weightsAt[i];
            @else let place = findWeights(thread, i);
            weights[i] = loadWeights(place, tapPlace, channel, thread, i);
          }
          for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
            @if(KEEPS_PLACES) let places = found[i % FOUND];
            @else let places = findSources(groupBase, thread, i);
            sources[i] = loadSources(places, channel, thread, i);
          }
        }
      }
      if (tile > blockTile) {
        multiplyTile(&sums, local, select(TILE_K, lastOfTap, channel == 0u));
      }
      if (tile >= blockEnd) {
        break;
      }
      workgroupBarrier();
      for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
        @if(KEEPS_PLACES) let place = weightsAt[i];
        @else let place = findWeights(thread, i);
        @if(AHEAD) let values = weights[i];
        @else let values = loadWeights(place, tapPlace, channel, thread, i);
        @if(CHANNEL_VECTORS) keepB(thread, i, values);
        @else keepA(thread + i * THREADS, values);
      }
      for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
        @if(KEEPS_PLACES) let places = found[i % FOUND];
        @else let places = findSources(groupBase, thread, i);
        @if(AHEAD) let values = sources[i];
        @else let values = loadSources(places, channel, thread, i);
        @if(CHANNEL_VECTORS) keepA(thread + i * THREADS, values);
        @else keepB(thread, i, values);
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
