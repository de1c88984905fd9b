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
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::phases::{phaseCount, phaseOffset, phasePosition};
import package::common::product_result::{
  carryTile, resultPlace, resultPlaces, storeTile, tileChannels, NOWHERE, Positions, TILE_POSITIONS
};
import package::common::product_tile::{multiplyTile, Held, SUMS, THREADS, THREADS_M, THREADS_N, TILE_K};
import package::common::space::flatten;
import package::common::tap_loads::{
  findSources, findWeights, geometry, keepA, keepB, loadSources, loadWeights, origins, sourcePlaces, weightPlaces,
  Found, POINTWISE, SOURCE_LOADS, TILE_CHANNELS, WEIGHT_LOADS
};
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, tapCounts, tapNumber, tapOf, STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH,
  TRANSPOSED
};

// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.
// Condition AHEAD: a thread loads its part of the next tile while this one is multiplied, and keeps it in registers.

const BLOCK_TILES: u32 = max(1u, BLOCK_TERMS / TILE_K);
// Each phase has taps of its own: the number of the first, and how many a row has, stand in workgroup memory beside the
// tile's channels, for threads with few registers.
const PHASED: bool = TRANSPOSED && STRIDE_DEPTH * STRIDE_HEIGHT * STRIDE_WIDTH > 1u;

// More than there are. Loops with a constant bound need no guard counters, which would take registers.
const MOST_BLOCKS: u32 = 0x1000000u;

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
      sourcePlaces[i] = select(NOWHERE, sample + index * geometry.sourceStrides.z, position < geometry.n);
    }
    resultPlaces[i] = resultPlace(position, geometry.n, phase, positions);
  }
  if (thread == 0u) {
    let count = geometry.resultChannels - firstChannel;
    tileChannels =
      vec4<u32>(group * geometry.resultChannels + firstChannel, count, tapNumber(first), counts.z);
  }
  for (var i = thread; i < TILE_CHANNELS; i += THREADS) {
    let channel = min(firstChannel + i, geometry.resultChannels - 1u);
    @if(CHANNEL_VECTORS) weightPlaces[i] = group * geometry.packedStrides.x + channel / 4u;
    @else weightPlaces[i] = group * geometry.packedStrides.x + channel * geometry.packedStrides.y;
  }
  workgroupBarrier();
  let groupBase = group * geometry.sourceChannels * geometry.sourceStrides.y;
  var weightsAt: array<u32, WEIGHT_LOADS>;
  var found: array<Found, SOURCE_LOADS>;
  @if(KEEPS_PLACES) {
    for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
      weightsAt[i] = findWeights(thread, i);
    }
    if (POINTWISE) {
      for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
        found[i] = findSources(groupBase, thread, i);
      }
    }
  }

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
          @if(KEEPS_PLACES) let isLookedUp = false;
          @else let isLookedUp = PHASED;
          let number = select(tapNumber(first), tileChannels.z, isLookedUp);
          let rowTaps = select(counts.z, tileChannels.w, isLookedUp);
          let row = tap / rowTaps;
          let step = vec3<u32>(row / counts.y, row % counts.y, tap % rowTaps);
          tapPlace = (number + tapNumber(tapOf(vec3<u32>(0u), step))) * geometry.packedStrides.z;
          for (var i = thread; i < TILE_POSITIONS; i += THREADS) {
            let origin = origins[i];
            let at = gatherAt(origin.xyz, step, geometry.sourceSize);
            let start = u32(origin.w) + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z;
            let place = select(NOWHERE, start, isInside(at, geometry.sourceSize));
            sourcePlaces[i] = place;
          }
          workgroupBarrier();
          @if(KEEPS_PLACES) {
            for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
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
            @if(KEEPS_PLACES) let places = found[i];
            @else let places = findSources(groupBase, thread, i);
            sources[i] = loadSources(places, channel, thread, i);
          }
        }
      }
      if (tile > blockTile) {
        multiplyTile(&sums, thread, select(TILE_K, lastOfTap, channel == 0u));
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
        @if(KEEPS_PLACES) let places = found[i];
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
        carryTile(&sums, thread, geometry.resultStrides.y, firstResult, blockTile > firstTile, blockEnd < tiles);
      }
    } @else {
      break;
    }
  }
  storeTile(&sums, thread, geometry.resultStrides.y, firstResult);
}
