// What tap GEMM (implicit_gemm/tap_gemm.wgsl) loads for a tile of K: packed weights, and sources where taps meet them.
//
// Where these lie stands in workgroup memory, once for a tile, and takes no registers while a thread multiplies. On
// condition KEEPS_PLACES threads keep it in registers, where these are many.
import package::common::element::{valuesOf, Vector};
import package::common::epilogue::{maskGradients, MASKED};
import package::common::product_result::{NOWHERE, TILE_POSITIONS};
import package::common::product_tile::{
  tileA, tileB, B_STEP, EVEN_A, Held, PITCH, RAGGED, THREADS, TILE_K_VECTORS, TILE_M, TILE_N, TILE_N_VECTORS
};
import package::common::source::sourceAt;

// Four neighbours of a position's channels, or of a pointwise layer's positions, are one aligned vector of the source.
const VECTOR_SOURCE: bool = false; // @specialize
// Positions read the source at their own number.
const POINTWISE: bool = false; // @specialize

const TILE_CHANNELS: u32 = TILE_M * TILE_N / TILE_POSITIONS;
// Vectors that a thread loads for a tile of K.
const SOURCE_LOADS: u32 = (TILE_POSITIONS * TILE_K_VECTORS + THREADS - 1u) / THREADS;
const WEIGHT_LOADS: u32 = (TILE_CHANNELS * TILE_K_VECTORS + THREADS - 1u) / THREADS;

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
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weightVectors: array<Vector>;
// The source again, four elements at a time.
@group(0) @binding(7) var<storage, read> sourceVectors: array<Vector>;
@group(0) @binding(8) var<storage, read> activatedVectors: array<Vector>;

// Of each position of the tile: where its taps begin, and the place of its sample; and where it reads the source for
// this tap in the first channel. Of each channel: where its weights begin.
var<workgroup> origins: array<vec4<i32>, TILE_POSITIONS>;
var<workgroup> sourcePlaces: array<u32, TILE_POSITIONS>;
var<workgroup> weightPlaces: array<u32, TILE_CHANNELS>;

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
    let row = (thread / TILE_N_VECTORS) % B_STEP;
    return weightPlaces[(thread % TILE_N_VECTORS) * 4u] + row * geometry.packedStrides.y;
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
    let n = (thread % TILE_N_VECTORS) * 4u;
    let places = vec4<u32>(sourcePlaces[n], sourcePlaces[n + 1u], sourcePlaces[n + 2u], sourcePlaces[n + 3u]);
    let further = groupBase + ((thread / TILE_N_VECTORS) % B_STEP) * geometry.sourceStrides.y;
    return Found(places + vec4<u32>(further), places != vec4<u32>(NOWHERE));
  }
}

// Vector `i` of the weights that a thread loads from `channel` on.
fn loadWeights(first: u32, tapPlace: u32, channel: u32, thread: u32, i: u32) -> vec4<Held> {
  var exists = true;
  var place = first;
  @if(CHANNEL_VECTORS) {
    exists = channel + (thread / TILE_N_VECTORS) % B_STEP + i * B_STEP < geometry.sourceChannels;
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
    let exists = !RAGGED || channel + (thread / TILE_N_VECTORS) % B_STEP + i * B_STEP < geometry.sourceChannels;
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
  tileB[((thread / TILE_N_VECTORS) % B_STEP + i * B_STEP) * PITCH + thread % TILE_N_VECTORS] = values;
}
