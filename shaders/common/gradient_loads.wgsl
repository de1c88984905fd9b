// What the weight gradient by implicit GEMM (implicit_gemm/implicit_gemm_weight_gradient.wgsl) loads for a tile of K:
// gradients, and the patches of the input that go with them.
//
// Where the positions of a block of K lie is computed once, by one thread for each; likewise where n and m lie. An
// element of a patch then lies at the place of its k plus the place of its n. On condition TAP_BITS zeros lie beyond
// the input, and bits of k say which steps of a tap along each axis meet it.
// In workgroup memory, all this takes no registers while a thread multiplies. On condition KEEPS_PLACES threads keep
// what n and m say in registers, where these are many.
import package::common::element::{valuesOf, Vector};
import package::common::epilogue::{maskGradients, HAS_BIAS, MASKED};
import package::common::gradient::{gradientAt, inputElement};
import package::common::long_sum::BLOCK_TERMS;
import package::common::product_tile::{
  tileB, B_LOADS, B_STEP, Held, PITCH, THREADS, TILE_K, TILE_K_VECTORS, TILE_M, TILE_N, TILE_N_VECTORS
};
import package::common::space::{flatten, unflatten};
import package::common::taps::{
  isInside, sourceStep, tapBits, tapsInside, STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};
import package::common::weight_gradient::{inputAt, originOf, tapAt};

// Output positions of a sample are a multiple of four and contiguous: four of K are loaded at once.
const VECTOR_GRADIENT: bool = false; // @specialize
// Every tap of every position meets the input, and K is a multiple of TILE_K.
const WHOLE: bool = false; // @specialize
const CHANNEL_FASTEST: bool = false; // @specialize
// Condition VECTOR_INPUT: a pointwise layer with input positions like these, and B_LOADS a multiple of four. Four of K
// are loaded at once for one n, for four neighbours along N one after the other: a thread then writes whole vectors.
// (Threads may not write components of one vector each: WGSL lets such a write write the vector.)
// Condition CHANNEL_VECTORS: with CHANNEL_FASTEST, the input channels of a position lie in whole vectors. Four of N are
// loaded at once for one k. Condition M_VECTORS: likewise output channels, four of M for one k.

const BLOCK_TILES: u32 = max(1u, BLOCK_TERMS / TILE_K);
const BLOCK_K: u32 = BLOCK_TILES * TILE_K;
// Patches that a thread takes from: one for each vector on condition VECTOR_INPUT, otherwise four. As many as either.
const N_LOADED: u32 = B_LOADS + 3u;
// Vectors of the patches that a thread keeps in workgroup memory at once: four on condition VECTOR_INPUT.
const B_TOGETHER: u32 = 1u; // @specialize
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
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
// The same buffers again, four elements at a time.
@group(0) @binding(5) var<storage, read> gradientVectors: array<Vector>;
@group(0) @binding(6) var<storage, read> activatedVectors: array<Vector>;
@group(0) @binding(7) var<storage, read> inputVectors: array<Vector>;

// Of each k of a block: where dy lies in the first channel; where the input that tap 0 meets lies in the first channel;
// and which steps of taps meet the input (common/taps.wgsl).
var<workgroup> gradientPlaces: array<u32, BLOCK_K>;
var<workgroup> inputPlaces: array<vec2<u32>, BLOCK_K>;

// Of each m of the tile: where its channel of dy lies. Of each n: where its channel and tap lie from what tap 0 of the
// first channel meets, and the bits of k that must be set for it to exist, none for a bias gradient, whose patch is 1.
// Where taps have no bits, the place of its channel, some bit, and where its tap begins.
var<workgroup> channelPlaces: array<u32, TILE_M>;
var<workgroup> patches: array<vec2<u32>, TILE_N>;
var<workgroup> origins: array<vec4<i32>, TILE_N>;

const ALL_ONES: u32 = 0u;

fn findPlaces(k: u32, slot: u32, end: u32) {
  let index = k % geometry.outputPositions;
  let sample = k / geometry.outputPositions;
  let exists = k < end;
  gradientPlaces[slot] =
    select(NOWHERE, sample * geometry.outputStrides.x + index * geometry.outputStrides.z, exists);
  let output = unflatten(index, geometry.outputSize);
  let base = sample * geometry.inputStrides.x;
  @if(TAP_BITS) {
    let origin = vec3<i32>(output * vec3<u32>(STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH)) - geometry.padBegin;
    let size = vec3<i32>(geometry.inputSize);
    let place = u32((origin.x * size.y + origin.y) * size.z + origin.z);
    let inside = select(0u, tapsInside(origin, vec3<u32>(0u), geometry.inputSize), exists);
    inputPlaces[slot] = vec2<u32>(base + place * geometry.inputStrides.z, inside);
  } @else {
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
  var bits = 1u;
  @if(TAP_BITS) {
    place += sourceStep(tap, geometry.inputSize) * geometry.inputStrides.z;
    bits = tapBits(tap);
  } @else {
    origins[slot] = vec4<i32>(originOf(number, geometry.padBegin), 0);
  }
  patches[slot] = vec2<u32>(place, select(bits, ALL_ONES, n >= filterWeights));
}

// Where the element of a patch for a k of the block lies, and whether it exists.
struct Found {
  place: u32,
  exists: bool,
}

fn findInput(at: vec2<u32>, taken: vec2<u32>, n: u32) -> Found {
  @if(TAP_BITS) {
    return Found(at.x + taken.x, WHOLE || (at.y & taken.y) == taken.y);
  } @else {
    let source = inputAt(unflatten(at.y, geometry.outputSize), origins[n].xyz, geometry.inputSize);
    let place = at.x + taken.x + flatten(source, geometry.inputSize) * geometry.inputStrides.z;
    return Found(place, at.y != NOWHERE && isInside(source, geometry.inputSize));
  }
}

fn loadInput(at: vec2<u32>, taken: vec2<u32>, n: u32) -> Held {
  let found = findInput(at, taken, n);
  let value = select(Held(), Held(inputElement(found.place)), found.exists);
  return select(value, Held(1.0), HAS_BIAS && taken.y == ALL_ONES);
}

// Of the patches that a thread loads, four of N for one k: the first n, and the first k. Neighbouring threads load
// neighbours that lie together: along N with CHANNEL_FASTEST, otherwise along K.
fn firstOfB(thread: u32) -> vec2<u32> {
  let alongN = vec2<u32>((thread % TILE_N_VECTORS) * 4u, (thread / TILE_N_VECTORS) % B_STEP);
  let alongK = vec2<u32>((thread / B_STEP * 4u) % TILE_N, thread % B_STEP);
  return select(alongK, alongN, CHANNEL_FASTEST);
}

// On condition VECTOR_INPUT, of vector `i`: which four of K, then which four of N. It is of one of the latter.
fn slotOfB(thread: u32, i: u32) -> u32 {
  return thread + i / 4u * THREADS;
}

// The patches that a thread loads: of vector `i`, or where there are four of N the first four.
fn patchAt(thread: u32, i: u32) -> vec2<u32> {
  @if(VECTOR_INPUT) return patches[(slotOfB(thread, i) / TILE_K_VECTORS * 4u + i % 4u) % TILE_N];
  @else return patches[(firstOfB(thread).x + i) % TILE_N];
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
    let found = inputPlaces[firstK + (slotOfB(thread, i) % TILE_K_VECTORS) * 4u];
    let taken = loaded[i];
    values = vec4<Held>(valuesOf(inputVectors[(found.x + taken.x) / 4u]));
    values = select(vec4<Held>(), values, WHOLE || found.y != 0u);
    values = select(values, vec4<Held>(1.0), HAS_BIAS && taken.y == ALL_ONES);
  } @else {
    let first = firstOfB(thread);
    let at = inputPlaces[firstK + first.y + i * B_STEP];
    @if(CHANNEL_VECTORS) {
      let taken = loaded[0];
      let found = findInput(at, taken, first.x);
      values = select(vec4<Held>(), vec4<Held>(valuesOf(inputVectors[found.place / 4u])), found.exists);
      values = select(values, vec4<Held>(1.0), HAS_BIAS && taken.y == ALL_ONES);
    } @else {
      for (var j = 0u; j < 4u; j++) { // @unroll
        values[j] = loadInput(at, loaded[j], first.x + j);
      }
    }
  }
  return values;
}

// Group `i` of the vectors that a thread loads of the patches.
fn keepB(thread: u32, i: u32, values: array<vec4<Held>, B_TOGETHER>) {
  @if(VECTOR_INPUT) {
    let slot = thread + i * THREADS;
    for (var j = 0u; j < 4u; j++) { // @unroll
      let along = vec4<Held>(values[0][j], values[1][j], values[2][j], values[3][j]);
      tileB[((slot % TILE_K_VECTORS) * 4u + j) * PITCH + slot / TILE_K_VECTORS] = along;
    }
  } @else {
    let first = firstOfB(thread);
    tileB[(first.y + i * B_STEP) * PITCH + first.x / 4u] = values[0];
  }
}
