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
// Where the positions of a block of K lie is computed once, by one thread for each. An element of a patch then lies at
// the place of its k plus the place of its n. Bits of k say which steps of a tap along each axis meet the input.
// Dispatch: splitK x groups x tilesN x tilesM workgroups, folded.
import package::common::element::{valuesOf, Vector};
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::product_tile::{
  multiplyTile, tileA, tileB, A_LOADS, B_LOADS, B_STEP, EVEN_A, Held, M_PER_THREAD, PITCH, SUMS, THREADS, THREADS_M,
  THREADS_N, TILE_K, TILE_K_VECTORS, TILE_M, TILE_N, TILE_N_VECTORS, VECTORS_PER_THREAD
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

// Of N, those whose patches a thread loads.
@if(VECTOR_INPUT) const N_LOADED: u32 = B_LOADS;
@else const N_LOADED: u32 = 4u; // and one alone on condition CHANNEL_VECTORS
const BLOCK_K: u32 = max(1u, BLOCK_TERMS / TILE_K) * TILE_K;
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

// Four gradients of a channel, from a k of the block on; or of four channels for this k (M_VECTORS).
fn loadGradients(channelBase: u32, k: u32) -> vec4<Held> {
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

// Of one n: where its channel and tap lie from what tap 0 of the first channel meets; the bits of k that must be set
// for it to exist, none for a bias gradient, whose patch is 1; and where its tap begins, for padding without bits.
struct Patch {
  place: u32,
  bits: u32,
  origin: vec3<i32>,
}

const ALL_ONES: u32 = 0u;

fn patchOf(n: u32, group: u32) -> Patch {
  let filterWeights = geometry.inputChannels * TAPS;
  let weight = min(n, filterWeights - 1u);
  let number = select(weight % TAPS, weight / geometry.inputChannels, CHANNEL_FASTEST);
  let channel = select(weight / TAPS, weight % geometry.inputChannels, CHANNEL_FASTEST);
  let place = (group * geometry.inputChannels + channel) * geometry.inputStrides.y;
  let tap = tapAt(number);
  if (ZERO_PADDED) {
    let bits = select(tapBits(tap), ALL_ONES, n >= filterWeights);
    return Patch(place + sourceStep(tap, geometry.inputSize) * geometry.inputStrides.z, bits, vec3<i32>(0));
  }
  return Patch(place, select(1u, ALL_ONES, n >= filterWeights), originOf(number, geometry.padBegin));
}

// Where the element of a patch for a k of the block lies, and whether it exists.
struct Found {
  place: u32,
  exists: bool,
}

fn findInput(at: vec2<u32>, taken: Patch) -> Found {
  if (ZERO_PADDED) {
    return Found(at.x + taken.place, WHOLE || (at.y & taken.bits) == taken.bits);
  }
  let source = inputAt(unflatten(at.y, geometry.outputSize), taken.origin, geometry.inputSize);
  let place = at.x + taken.place + flatten(source, geometry.inputSize) * geometry.inputStrides.z;
  return Found(place, at.y != NOWHERE && isInside(source, geometry.inputSize));
}

fn loadInput(at: vec2<u32>, taken: Patch) -> Held {
  let found = findInput(at, taken);
  let value = select(Held(), Held(inputElement(found.place)), found.exists);
  return select(value, Held(1.0), HAS_BIAS && taken.bits == ALL_ONES);
}

// Vector `i` of those that a thread loads of the patches: four of K for one n, or four of N for one k.
fn loadInputs(firstK: u32, loadK: u32, thread: u32, i: u32, patches: array<Patch, N_LOADED>) -> vec4<Held> {
  var values: vec4<Held>;
  @if(VECTOR_INPUT) {
    let found = inputPlaces[firstK + ((thread + i * THREADS) % TILE_K_VECTORS) * 4u];
    values = vec4<Held>(valuesOf(inputVectors[(found.x + patches[i].place) / 4u]));
    values = select(vec4<Held>(), values, WHOLE || found.y != 0u);
    values = select(values, vec4<Held>(1.0), HAS_BIAS && patches[i].bits == ALL_ONES);
  } @else {
    let at = inputPlaces[firstK + loadK + i * B_STEP];
    @if(CHANNEL_VECTORS) {
      let found = findInput(at, patches[0]);
      values = select(vec4<Held>(), vec4<Held>(valuesOf(inputVectors[found.place / 4u])), found.exists);
      values = select(values, vec4<Held>(1.0), HAS_BIAS && patches[0].bits == ALL_ONES);
    } @else {
      for (var j = 0u; j < 4u; j++) { // @unroll
        values[j] = loadInput(at, patches[j]);
      }
    }
  }
  return values;
}

// Of vector `slot` of tileA: the first m, and the first k.
fn firstOfA(slot: u32) -> vec2<u32> {
  var first: vec2<u32>;
  @if(M_VECTORS) first = vec2<u32>((slot % (TILE_M / 4u)) * 4u, slot / (TILE_M / 4u));
  @else first = vec2<u32>(slot / TILE_K_VECTORS, (slot % TILE_K_VECTORS) * 4u);
  return first;
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
  let split = outer / geometry.groups;
  let extentN = geometry.inputChannels * TAPS + select(0u, 1u, HAS_BIAS);

  // What this thread loads, the same throughout: gradients of some channels;
  var channelBases: array<u32, A_LOADS>;
  for (var i = 0u; i < A_LOADS; i++) { // @unroll
    let channel = min(firstM + firstOfA(thread + i * THREADS).x, geometry.outputChannels - 1u);
    channelBases[i] = (group * geometry.outputChannels + channel) * geometry.outputStrides.y;
  }
  // and patches: four of N for one k, or four of K for one n.
  let loadVector = select(thread % TILE_N_VECTORS, thread / B_STEP, ALONG_K);
  let loadK = select(thread / TILE_N_VECTORS, thread % B_STEP, ALONG_K);
  var loaded: array<Patch, N_LOADED>;
  for (var i = 0u; i < N_LOADED; i++) { // @unroll
    @if(VECTOR_INPUT) let n = (thread + i * THREADS) / TILE_K_VECTORS;
    @else let n = loadVector * 4u + i;
    loaded[i] = patchOf(firstN + n, group);
  }

  // Block by block: the partial result holds the sums of those before.
  let begin = split * geometry.kPerSplit;
  let end = min(begin + geometry.kPerSplit, geometry.k);
  var sums: array<vec4<f32>, SUMS>;
  var totals: array<vec4<f32>, SUMS>;
  for (var first = begin; first < end; first += BLOCK_K) {
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
    for (var tile = 0u; ; tile++) {
      let firstK = tile * TILE_K;
      @if(AHEAD) {
        if (tile < tiles) {
          for (var i = 0u; i < A_LOADS; i++) { // @unroll
            gradients[i] = loadGradients(channelBases[i], firstK + firstOfA(thread + i * THREADS).y);
          }
          for (var i = 0u; i < B_LOADS; i++) { // @unroll
            inputs[i] = loadInputs(firstK, loadK, thread, i, loaded);
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
          @if(AHEAD) tileA[slot] = gradients[i];
          @else tileA[slot] = loadGradients(channelBases[i], firstK + firstOfA(slot).y);
        }
      }
      for (var i = 0u; i < B_LOADS; i++) { // @unroll
        @if(AHEAD) let values = inputs[i];
        @else let values = loadInputs(firstK, loadK, thread, i, loaded);
        @if(VECTOR_INPUT) {
          let slot = thread + i * THREADS;
          let n = slot / TILE_K_VECTORS;
          for (var j = 0u; j < 4u; j++) { // @unroll
            tileB[((slot % TILE_K_VECTORS) * 4u + j) * PITCH + n / 4u][n % 4u] = values[j];
          }
        } @else {
          tileB[(loadK + i * B_STEP) * PITCH + loadVector] = values;
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
