// Implicit GEMM, weight gradient: a matrix product in workgroup memory, whose patches are never stored.
//
//   partials[split][g, m, n] = sum over k of the split of dy[m, k] * patches[k, n]
//
//   k: output position, counted through the batch; m, n and partials: common/weight_gradient.wgsl. With CHANNEL_FASTEST
//      n is (tap, input channel), channel fastest, as channels-last tensors lie
//
// A workgroup computes a tile of TILE_M x TILE_N of one split. It loads TILE_K of both factors into workgroup memory at
// a time. Each thread holds M_PER_THREAD x (4 * VECTORS_PER_THREAD) sums in registers, and with AHEAD what it loads for
// the next tile of K while this one is multiplied.
// Where the positions of a block of K lie is computed once, by one thread for each; likewise where n and m lie. An
// element of a patch then lies at the place of its k plus the place of its n. Bits of k say which steps of a tap along
// each axis meet the input. In workgroup memory, what a thread loads takes no registers while it multiplies; on
// condition KEEPS_PLACES it is kept in registers, where these are many.
// Dispatch: splitK x groups x tilesN x tilesM workgroups, folded.
import package::common::element::{valuesOf, Vector};
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::product_tile::{
  multiplyTile, tileA, tileB, A_LOADS, B_LOADS, B_STEP, EVEN_A, Held, M_PER_THREAD, PITCH, SUMS, THREADS,
  THREADS_M, THREADS_N, TILE_K, TILE_K_VECTORS, TILE_M, TILE_N, TILE_N_VECTORS, VECTORS_PER_THREAD
};
import package::common::space::{flatten, unflatten};
import package::common::taps::{
  isInside, sourceStep, tapBits, tapsInside, STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};
import package::common::weight_gradient::{inputAt, originOf, tapAt};
import package::common::epilogue::{maskGradients, HAS_BIAS, MASKED};
import package::common::gradient::{gradientAt, inputElement};

// Output positions of a sample are a multiple of four and contiguous: four of K are loaded at once.
const VECTOR_GRADIENT: bool = false; // @specialize
// Every tap of every position meets the input, and K is a multiple of TILE_K.
const WHOLE: bool = false; // @specialize
// Beyond the edge of the input lie zeros, and none of its own elements.
const ZERO_PADDED: bool = true; // @specialize
// Neighbouring threads load neighbours along K, where these lie together. Otherwise they load neighbours along N.
const ALONG_K: bool = true; // @specialize
const CHANNEL_FASTEST: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the partial result. On
// condition IN_REGISTERS they are added up in registers.
// Condition VECTOR_INPUT: a pointwise layer with input positions like these. Four of K are loaded at once for one n.
// Condition CHANNEL_VECTORS: with CHANNEL_FASTEST, the input channels of a position lie in whole vectors. Four of N are
// loaded at once for one k. Condition M_VECTORS: likewise output channels, four of M for one k.
// Condition AHEAD: a thread loads its part of the next tile while this one is multiplied, and keeps it in registers.

const BLOCK_TILES: u32 = max(1u, BLOCK_TERMS / TILE_K);
const BLOCK_K: u32 = BLOCK_TILES * TILE_K;
// More than there are. Loops with a constant bound need no guard counters, which would take registers.
const MOST_BLOCKS: u32 = 0x1000000u;
// Of N, those whose patches a thread loads.
@if(VECTOR_INPUT) const N_LOADED: u32 = B_LOADS;
@else const N_LOADED: u32 = 4u; // and one alone on condition CHANNEL_VECTORS
// The place of what does not exist.
const NOWHERE: u32 = 0xffffffffu;

struct Geometry {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  outputChannels: u32, // of a group, as inputChannels
  groups: u32,
  inputChannels: u32,
  tilesN: u32,
  tilesM: u32,
  tasks: u32, // splitK * groups * tilesM * tilesN
  outputPositions: u32, // of one sample
  k: u32, // batch * outputPositions
  kPerSplit: u32, // a multiple of TILE_K
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
// The same buffers again, four elements at a time.
@group(0) @binding(5) var<storage, read> gradientVectors: array<Vector>;
@group(0) @binding(6) var<storage, read> activatedVectors: array<Vector>;
@group(0) @binding(7) var<storage, read> inputVectors: array<Vector>;

// Of each k of a block: where dy lies in the first channel; where the input that tap 0 meets lies in the first channel;
// and which steps of taps meet the input (common/taps.wgsl).
var<workgroup> gradientPlaces: array<u32, BLOCK_K>;
var<workgroup> inputPlaces: array<vec2<u32>, BLOCK_K>;

// Of each m of the tile: where its channel of dy lies. Of each n: where its channel and tap lie from what tap 0 of the
// first channel meets; and the bits of k that must be set for it to exist, none for a bias gradient, whose patch is 1.
// Where taps have no bits, 1 + the number of its tap.
var<workgroup> channelPlaces: array<u32, TILE_M>;
var<workgroup> patches: array<vec2<u32>, TILE_N>;

const ALL_ONES: u32 = 0u;

fn findPlaces(k: u32, slot: u32, end: u32) {
  let index = k % geometry.outputPositions;
  let sample = k / geometry.outputPositions;
  let exists = k < end;
  gradientPlaces[slot] =
    select(NOWHERE, sample * geometry.outputStrides.x + index * geometry.outputStrides.z, exists);
  let output = unflatten(index, geometry.outputSize);
  let base = sample * geometry.inputStrides.x;
  if (ZERO_PADDED) {
    let origin = vec3<i32>(output * vec3<u32>(STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH)) - geometry.padBegin;
    let size = vec3<i32>(geometry.inputSize);
    let place = u32((origin.x * size.y + origin.y) * size.z + origin.z);
    let inside = select(0u, tapsInside(origin, vec3<u32>(0u), geometry.inputSize), exists);
    inputPlaces[slot] = vec2<u32>(base + place * geometry.inputStrides.z, inside);
  } else {
    inputPlaces[slot] = vec2<u32>(base, select(NOWHERE, index, exists));
  }
}

// Of vector `slot` of tileA: the first m, and the first k.
fn firstOfA(slot: u32) -> vec2<u32> {
  var first: vec2<u32>;
  @if(M_VECTORS) first = vec2<u32>((slot % (TILE_M / 4u)) * 4u, slot / (TILE_M / 4u));
  @else first = vec2<u32>(slot / TILE_K_VECTORS, (slot % TILE_K_VECTORS) * 4u);
  return first;
}

// Vector `slot` of tileA: four gradients of a channel, from a k of the block on; or of four channels for this k.
fn loadGradients(channelBase: u32, firstK: u32, slot: u32) -> vec4<Held> {
  let k = firstK + firstOfA(slot).y;
  var values: vec4<Held>;
  if (VECTOR_GRADIENT) {
    let place = gradientPlaces[k];
    let vector = (channelBase + place) / 4u;
    values = vec4<Held>(valuesOf(gradientVectors[vector]));
    if (MASKED) {
      values = vec4<Held>(maskGradients(vec4<f32>(values), valuesOf(activatedVectors[vector])));
    }
    return select(vec4<Held>(), values, WHOLE || place != NOWHERE);
  }
  for (var i = 0u; i < 4u; i++) { // @unroll
    let place = gradientPlaces[k + i];
    values[i] = select(Held(), Held(gradientAt(channelBase + place)), WHOLE || place != NOWHERE);
  }
  return values;
}

fn findPatch(n: u32, slot: u32, group: u32) {
  let filterWeights = geometry.inputChannels * TAPS;
  let weight = min(n, filterWeights - 1u);
  let number = select(weight % TAPS, weight / geometry.inputChannels, CHANNEL_FASTEST);
  let channel = select(weight / TAPS, weight % geometry.inputChannels, CHANNEL_FASTEST);
  let tap = tapAt(number);
  var place = (group * geometry.inputChannels + channel) * geometry.inputStrides.y;
  var bits = number + 1u;
  if (ZERO_PADDED) {
    place += sourceStep(tap, geometry.inputSize) * geometry.inputStrides.z;
    bits = tapBits(tap);
  }
  patches[slot] = vec2<u32>(place, select(bits, ALL_ONES, n >= filterWeights));
}

// Where the element of a patch for a k of the block lies, and whether it exists.
struct Found {
  place: u32,
  exists: bool,
}

fn findInput(at: vec2<u32>, taken: vec2<u32>) -> Found {
  if (ZERO_PADDED) {
    return Found(at.x + taken.x, WHOLE || (at.y & taken.y) == taken.y);
  }
  let origin = originOf(taken.y - 1u, geometry.padBegin);
  let source = inputAt(unflatten(at.y, geometry.outputSize), origin, geometry.inputSize);
  let found = at.x + taken.x + flatten(source, geometry.inputSize) * geometry.inputStrides.z;
  return Found(found, at.y != NOWHERE && isInside(source, geometry.inputSize));
}

fn loadInput(at: vec2<u32>, taken: vec2<u32>) -> Held {
  let found = findInput(at, taken);
  let value = select(Held(), Held(inputElement(found.place)), found.exists);
  return select(value, Held(1.0), HAS_BIAS && taken.y == ALL_ONES);
}

// Of the patches that a thread loads, four of N for one k: the vector of N, and the first k.
fn firstOfB(thread: u32) -> vec2<u32> {
  return select(
    vec2<u32>(thread % TILE_N_VECTORS, thread / TILE_N_VECTORS), vec2<u32>(thread / B_STEP, thread % B_STEP), ALONG_K
  );
}

// The patches that a thread loads: of vector `i`, or where there are four of N the first four.
fn patchAt(thread: u32, i: u32) -> vec2<u32> {
  @if(VECTOR_INPUT) return patches[((thread + i * THREADS) / TILE_K_VECTORS) % TILE_N];
  @else return patches[(firstOfB(thread).x * 4u) % TILE_N + i];
}

fn lookUp(thread: u32) -> array<vec2<u32>, N_LOADED> {
  var loaded: array<vec2<u32>, N_LOADED>;
  for (var i = 0u; i < N_LOADED; i++) { // @unroll
    loaded[i] = patchAt(thread, i);
  }
  return loaded;
}

// Vector `i` of those that a thread loads of the patches: four of K for one n, or four of N for one k.
fn loadInputs(loaded: array<vec2<u32>, N_LOADED>, firstK: u32, thread: u32, i: u32) -> vec4<Held> {
  var values: vec4<Held>;
  @if(VECTOR_INPUT) {
    let slot = thread + i * THREADS;
    let found = inputPlaces[firstK + (slot % TILE_K_VECTORS) * 4u];
    let taken = loaded[i % N_LOADED];
    values = vec4<Held>(valuesOf(inputVectors[(found.x + taken.x) / 4u]));
    values = select(vec4<Held>(), values, WHOLE || found.y != 0u);
    values = select(values, vec4<Held>(1.0), HAS_BIAS && taken.y == ALL_ONES);
  } @else {
    let first = firstOfB(thread);
    let at = inputPlaces[firstK + first.y + i * B_STEP];
    @if(CHANNEL_VECTORS) {
      let taken = loaded[0];
      let found = findInput(at, taken);
      values = select(vec4<Held>(), vec4<Held>(valuesOf(inputVectors[found.place / 4u])), found.exists);
      values = select(values, vec4<Held>(1.0), HAS_BIAS && taken.y == ALL_ONES);
    } @else {
      for (var j = 0u; j < 4u; j++) { // @unroll
        values[j] = loadInput(at, loaded[j % N_LOADED]);
      }
    }
  }
  return values;
}

@compute @workgroup_size(THREADS_N, THREADS_M)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let local = vec3<u32>(thread % THREADS_N, thread / THREADS_N, 0u);
  let task = workgroupIndex(workgroupId, grid);
  if (task >= geometry.tasks) {
    return;
  }
  let firstM = (task % geometry.tilesM) * TILE_M;
  let firstN = ((task / geometry.tilesM) % geometry.tilesN) * TILE_N;
  let outer = task / (geometry.tilesM * geometry.tilesN);
  let group = outer % geometry.groups;
  let split = outer / geometry.groups;
  let extentN = geometry.inputChannels * TAPS + select(0u, 1u, HAS_BIAS);

  for (var i = thread; i < TILE_M; i += THREADS) {
    let channel = min(firstM + i, geometry.outputChannels - 1u);
    channelPlaces[i] = (group * geometry.outputChannels + channel) * geometry.outputStrides.y;
  }
  for (var i = thread; i < TILE_N; i += THREADS) {
    findPatch(firstN + i, i, group);
  }
  var channels: array<u32, A_LOADS>;
  var loaded: array<vec2<u32>, N_LOADED>;
  @if(KEEPS_PLACES) {
    workgroupBarrier();
    for (var i = 0u; i < A_LOADS; i++) { // @unroll
      channels[i] = channelPlaces[firstOfA(thread + i * THREADS).x % TILE_M];
    }
    loaded = lookUp(thread);
  }

  // Block by block: the partial result holds the sums of those before.
  let begin = split * geometry.kPerSplit;
  let end = min(begin + geometry.kPerSplit, geometry.k);
  var sums: array<vec4<f32>, SUMS>;
  var totals: array<vec4<f32>, SUMS>;
  for (var blockIndex = 0u; blockIndex < MOST_BLOCKS; blockIndex++) {
    let first = begin + blockIndex * BLOCK_K;
    if (first >= end) {
      break;
    }
    for (var i = 0u; i < SUMS; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    for (var i = thread; i < BLOCK_K; i += THREADS) {
      findPlaces(first + i, i, end);
    }
    workgroupBarrier();
    // One iteration more than there are tiles: each loads a tile, and multiplies the one before.
    let tiles = (min(end - first, BLOCK_K) + TILE_K - 1u) / TILE_K;
    var gradients: array<vec4<Held>, A_LOADS>;
    var inputs: array<vec4<Held>, B_LOADS>;
    for (var tile = 0u; tile < BLOCK_TILES + 1u; tile++) {
      let firstK = tile * TILE_K;
      @if(AHEAD) {
        if (tile < tiles) {
          for (var i = 0u; i < A_LOADS; i++) { // @unroll
            let slot = thread + i * THREADS;
            @if(KEEPS_PLACES) let channel = channels[i];
            @else let channel = channelPlaces[firstOfA(slot).x % TILE_M];
            gradients[i] = loadGradients(channel, firstK, slot);
          }
          @if(KEEPS_PLACES) let taken = loaded;
          @else let taken = lookUp(thread);
          for (var i = 0u; i < B_LOADS; i++) { // @unroll
            inputs[i] = loadInputs(taken, firstK, thread, i);
          }
        }
      }
      if (tile > 0u) {
        multiplyTile(&sums, local, end - first - (firstK - TILE_K));
      }
      if (tile >= tiles) {
        break;
      }
      workgroupBarrier();
      for (var i = 0u; i < A_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        if (EVEN_A || slot < TILE_M * TILE_K_VECTORS) {
          @if(KEEPS_PLACES) let channel = channels[i];
          @else let channel = channelPlaces[firstOfA(slot).x % TILE_M];
          @if(AHEAD) let values = gradients[i];
          @else let values = loadGradients(channel, firstK, slot);
          tileA[slot] = values;
        }
      }
      @if(KEEPS_PLACES) let taken = loaded;
      @else let taken = lookUp(thread);
      for (var i = 0u; i < B_LOADS; i++) { // @unroll
        @if(AHEAD) let values = inputs[i];
        @else let values = loadInputs(taken, firstK, thread, i);
        @if(VECTOR_INPUT) {
          let slot = thread + i * THREADS;
          let n = slot / TILE_K_VECTORS;
          for (var j = 0u; j < 4u; j++) { // @unroll
            tileB[((slot % TILE_K_VECTORS) * 4u + j) * PITCH + n / 4u][n % 4u] = values[j];
          }
        } @else {
          let first = firstOfB(thread);
          tileB[(first.y + i * B_STEP) * PITCH + first.x] = values;
        }
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
        // One of M after the other. Reads beyond N mean nothing, and are not stored.
        for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
          let m = firstM + local.y * M_PER_THREAD + r;
          let base = (outer * geometry.outputChannels + m) * extentN + firstN + local.x * 4u;
          if (first > begin) {
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              for (var j = 0u; j < 4u; j++) { // @unroll
                sums[r * VECTORS_PER_THREAD + v][j] += partials[base + v * THREADS_N * 4u + j];
              }
            }
          }
          if (first + BLOCK_K < end && m < geometry.outputChannels) {
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              for (var j = 0u; j < 4u; j++) { // @unroll
                if (firstN + (v * THREADS_N + local.x) * 4u + j < extentN) {
                  partials[base + v * THREADS_N * 4u + j] = sums[r * VECTORS_PER_THREAD + v][j];
                }
              }
            }
          }
        }
      }
      workgroupBarrier();
    } @else {
      break;
    }
  }

  for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
    let m = firstM + local.y * M_PER_THREAD + r;
    if (m < geometry.outputChannels) {
      let base = (outer * geometry.outputChannels + m) * extentN;
      for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
        for (var j = 0u; j < 4u; j++) { // @unroll
          let n = firstN + (v * THREADS_N + local.x) * 4u + j;
          if (n < extentN) {
            partials[base + n] = sums[r * VECTORS_PER_THREAD + v][j];
          }
        }
      }
    }
  }
}
