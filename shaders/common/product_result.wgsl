// Where the results of a product's tile go (product_tile.wgsl), for kernels that gather: positions of a phase along N,
// channels along M. On condition CHANNEL_VECTORS positions are along M, and channels, which lie together, along N.
import package::common::phases::{isOfPhase, phaseIndex};
import package::common::product_tile::{M_PER_THREAD, SUMS, THREADS_M, THREADS_N, VECTORS_PER_THREAD};
import package::common::result::{earlierSum, keepSum, storeResult};

// The place of what does not exist.
const NOWHERE: u32 = 0xffffffffu;

// TILE_M or TILE_N, whichever is along positions.
const TILE_POSITIONS: u32 = 64u; // @specialize

// Of each position of the tile, in the first channel.
var<workgroup> resultPlaces: array<u32, TILE_POSITIONS>;

// The channels of the tile: the first, of all groups, and how many exist from there on; and two numbers more for a
// kernel. In workgroup memory: what a thread knew of its own, it would keep in registers while it multiplies. Of 16
// bytes, so that the tiles after it are read as vectors.
var<workgroup> tileChannels: vec4<u32>;

// The channels that a thread sums, and where they lie; on condition CHANNEL_VECTORS those of its first vector.
struct Channels {
  first: u32, // of all groups
  count: u32, // of those that exist, from the first one on
  stride: u32, // elements from one to the next
}

fn channelsOf(thread: u32, stride: u32) -> Channels {
  @if(CHANNEL_VECTORS) let own = (thread % THREADS_N) * 4u;
  @else let own = ((thread / THREADS_N) % THREADS_M) * M_PER_THREAD;
  let channels = tileChannels;
  return Channels(channels.x + own, channels.y - min(own, channels.y), stride);
}

// Of positions of one sample and phase, and their strides.
struct Positions {
  count: u32,
  size: vec3<u32>,
  resultSize: vec3<u32>,
  strides: vec3<u32>,
}

fn resultPlace(n: u32, end: u32, phase: vec3<u32>, positions: Positions) -> u32 {
  let index = n % positions.count;
  let place = (n / positions.count) * positions.strides.x
    + phaseIndex(index, positions.size, phase, positions.resultSize) * positions.strides.z;
  return select(NOWHERE, place, (n < end) & isOfPhase(index, positions.size, phase, positions.resultSize));
}

// At the end of a block: adds what the result holds of earlier blocks, and stores the sums where a later one follows.
fn carryTile(
  sums: ptr<function, array<vec4<f32>, SUMS>>, thread: u32, channelStride: u32, firstResult: u32, earlier: bool,
  later: bool
) {
  let channels = channelsOf(thread, channelStride);
  @if(CHANNEL_VECTORS) {
    for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
      let place = resultPlaces[((thread / THREADS_N) % THREADS_M) * M_PER_THREAD + m];
      for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
        let further = v * THREADS_N * 4u;
        let base = firstResult + place + channels.first + further;
        let stores = later && place != NOWHERE;
        let i = m * VECTORS_PER_THREAD + v;
        @if(VECTOR_RESULT) {
          if (earlier) {
            (*sums)[i] += earlierSum(base / 4u);
          }
          if (stores && further < channels.count) {
            keepSum((*sums)[i], base / 4u);
          }
        } @else {
          if (earlier) {
            for (var j = 0u; j < 4u; j++) { // @unroll
              (*sums)[i][j] += earlierSum(base + j);
            }
          }
          if (stores) {
            for (var j = 0u; j < 4u; j++) { // @unroll
              if (further + j < channels.count) {
                keepSum((*sums)[i][j], base + j);
              }
            }
          }
        }
      }
    }
  } @else {
    let base = firstResult + channels.first * channels.stride;
    for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
      let first = (v * THREADS_N + thread % THREADS_N) * 4u;
      let places = vec4<u32>(
        resultPlaces[first], resultPlaces[first + 1u], resultPlaces[first + 2u], resultPlaces[first + 3u]
      );
      @if(VECTOR_RESULT) {
        if (earlier) {
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            (*sums)[m * VECTORS_PER_THREAD + v] += earlierSum((base + places.x + m * channels.stride) / 4u);
          }
        }
        if (later && places.x != NOWHERE) {
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            if (m < channels.count) {
              keepSum((*sums)[m * VECTORS_PER_THREAD + v], (base + places.x + m * channels.stride) / 4u);
            }
          }
        }
      } @else {
        for (var j = 0u; j < 4u; j++) { // @unroll
          let place = base + places[j];
          if (earlier) {
            for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
              (*sums)[m * VECTORS_PER_THREAD + v][j] += earlierSum(place + m * channels.stride);
            }
          }
          if (later && places[j] != NOWHERE) {
            for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
              if (m < channels.count) {
                keepSum((*sums)[m * VECTORS_PER_THREAD + v][j], place + m * channels.stride);
              }
            }
          }
        }
      }
    }
  }
}

fn storeTile(sums: ptr<function, array<vec4<f32>, SUMS>>, thread: u32, channelStride: u32, firstResult: u32) {
  let channels = channelsOf(thread, channelStride);
  @if(CHANNEL_VECTORS) {
    for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
      let place = resultPlaces[((thread / THREADS_N) % THREADS_M) * M_PER_THREAD + m];
      for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
        let further = v * THREADS_N * 4u;
        let channel = channels.first + further;
        let sum = (*sums)[m * VECTORS_PER_THREAD + v];
        @if(VECTOR_RESULT) {
          if (place != NOWHERE && further < channels.count) {
            storeResult(sum, channel, (place + channel) / 4u, firstResult / 4u);
          }
        } @else {
          for (var j = 0u; j < 4u; j++) { // @unroll
            if (place != NOWHERE && further + j < channels.count) {
              storeResult(sum[j], channel + j, place + channel + j, firstResult);
            }
          }
        }
      }
    }
  } @else {
    for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
      let first = (v * THREADS_N + thread % THREADS_N) * 4u;
      let places = vec4<u32>(
        resultPlaces[first], resultPlaces[first + 1u], resultPlaces[first + 2u], resultPlaces[first + 3u]
      );
      @if(VECTOR_RESULT) {
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          if (places.x != NOWHERE && m < channels.count) {
            let place = (places.x + (channels.first + m) * channels.stride) / 4u;
            storeResult((*sums)[m * VECTORS_PER_THREAD + v], channels.first + m, place, firstResult / 4u);
          }
        }
      } @else {
        for (var j = 0u; j < 4u; j++) { // @unroll
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            if (places[j] != NOWHERE && m < channels.count) {
              let place = places[j] + (channels.first + m) * channels.stride;
              storeResult((*sums)[m * VECTORS_PER_THREAD + v][j], channels.first + m, place, firstResult);
            }
          }
        }
      }
    }
  }
}
