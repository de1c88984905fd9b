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
// Dispatch: splitK x groups x tilesN x tilesM workgroups, folded.
import package::common::epilogue::HAS_BIAS;
import package::common::gradient_loads::{
  channelPlaces, findPatch, findPlaces, firstOfA, geometry, keepB, loadGradients, loadInputs, lookUp, B_TOGETHER,
  BLOCK_K, BLOCK_TILES, N_LOADED
};
import package::common::grid::workgroupIndex;
import package::common::product_tile::{
  multiplyTile, tileA, A_LOADS, B_LOADS, EVEN_A, Held, M_PER_THREAD, SUMS, THREADS, THREADS_M, THREADS_N,
  TILE_K, TILE_K_VECTORS, TILE_M, TILE_N, VECTORS_PER_THREAD
};
import package::common::taps::TAPS;

// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the partial result. On
// condition IN_REGISTERS they are added up in registers.
// Condition AHEAD: a thread loads its part of the next tile while this one is multiplied, and keeps it in registers.

// More than there are. Loops with a constant bound need no guard counters, which would take registers.
const MOST_BLOCKS: u32 = 0x1000000u;

@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

// The first m and n of the tile, and the matrix. In workgroup memory: what a thread knew of its own results, it would
// keep in registers while it multiplies. Of 16 bytes, so that the tiles after it are read as vectors.
var<workgroup> tileStart: vec4<u32>;

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
  let firstM = (task % geometry.tilesM) * TILE_M;
  let firstN = ((task / geometry.tilesM) % geometry.tilesN) * TILE_N;
  let outer = task / (geometry.tilesM * geometry.tilesN);
  let group = outer % geometry.groups;
  let split = outer / geometry.groups;
  let extentN = geometry.inputChannels * TAPS + select(0u, 1u, HAS_BIAS);

  if (thread == 0u) {
    tileStart = vec4<u32>(firstM, firstN, outer, 0u);
  }
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
        multiplyTile(&sums, thread, end - first - (firstK - TILE_K));
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
      for (var i = 0u; i < B_LOADS / B_TOGETHER; i++) { // @unroll
        var values: array<vec4<Held>, B_TOGETHER>;
        for (var j = 0u; j < B_TOGETHER; j++) { // @unroll
          @if(AHEAD) values[j] = inputs[i * B_TOGETHER + j];
          @else values[j] = loadInputs(taken, firstK, thread, i * B_TOGETHER + j);
        }
        keepB(thread, i, values);
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
        let start = tileStart;
        for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
          let m = start.x + ((thread / THREADS_N) % THREADS_M) * M_PER_THREAD + r;
          let base = (start.z * geometry.outputChannels + m) * extentN + start.y + (thread % THREADS_N) * 4u;
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
                if (start.y + (v * THREADS_N + thread % THREADS_N) * 4u + j < extentN) {
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

  let start = tileStart;
  for (var r = 0u; r < M_PER_THREAD; r++) { // @unroll
    let m = start.x + ((thread / THREADS_N) % THREADS_M) * M_PER_THREAD + r;
    if (m < geometry.outputChannels) {
      let base = (start.z * geometry.outputChannels + m) * extentN;
      for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
        for (var j = 0u; j < 4u; j++) { // @unroll
          let n = start.y + (v * THREADS_N + thread % THREADS_N) * 4u + j;
          if (n < extentN) {
            partials[base + n] = sums[r * VECTORS_PER_THREAD + v][j];
          }
        }
      }
    }
  }
}
