// Implicit GEMM, weight gradient: a matrix product in workgroup memory, whose patches are never stored.
//
//   partials[split][g, m, n] = sum over k of the split of dy[m, k] * patches[k, n]
//
//   k: output position, counted through the batch; m, n and partials: common/weight_gradient.wgsl
//
// A workgroup computes a tile of TILE_M x TILE_N of one split. It loads TILE_K of both factors into workgroup memory at
// a time. Each thread holds M_PER_THREAD x (4 * VECTORS_PER_THREAD) sums in registers.
// Dispatch: splitK x groups x tilesN x tilesM workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::space::{flatten, unflatten};
import package::common::taps::{isInside, TAPS};
import package::common::weight_gradient::{inputAt, originOf};
import package::common::epilogue::{maskGradients, HAS_BIAS, MASKED};
import package::common::gradient::{loadGradient, loadInput};

const THREADS_N: u32 = 16u; // @specialize
const THREADS_M: u32 = 16u; // @specialize
const M_PER_THREAD: u32 = 4u; // @specialize
const VECTORS_PER_THREAD: u32 = 1u; // @specialize
const TILE_K: u32 = 16u; // @specialize
// Vectors of K that are unrolled: a divisor of TILE_K / 4.
const UNROLL: u32 = 1u; // @specialize
// Output positions of a sample are a multiple of four and contiguous: four of K are loaded at once.
const VECTOR_GRADIENT: bool = false; // @specialize
// Neighbouring threads load neighbours along K, where these lie together. Otherwise they load neighbours along N.
const ALONG_K: bool = true; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the partial result. On
// condition IN_REGISTERS they are added up in registers.

const THREADS: u32 = THREADS_N * THREADS_M;
const TILE_M: u32 = THREADS_M * M_PER_THREAD;
const TILE_N_VECTORS: u32 = THREADS_N * VECTORS_PER_THREAD;
const TILE_N: u32 = TILE_N_VECTORS * 4u;
const TILE_K_VECTORS: u32 = TILE_K / 4u;
const GRADIENT_LOADS: u32 = TILE_M * TILE_K_VECTORS / THREADS;
const INPUT_LOADS: u32 = TILE_K * TILE_N_VECTORS / THREADS;
const INPUT_STEP: u32 = THREADS / TILE_N_VECTORS;
const BLOCK_K: u32 = max(1u, BLOCK_TERMS / TILE_K) * TILE_K;
// One more than N of the tile: threads that write neighbours along K then use different banks of workgroup memory.
const INPUT_PITCH: u32 = TILE_N_VECTORS + 1u;

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
@group(0) @binding(5) var<storage, read> gradientVectors: array<vec4<Element>>;
@group(0) @binding(6) var<storage, read> activatedVectors: array<vec4<Element>>;

// Four of K for one of M; and four of N for one of K.
var<workgroup> gradientTile: array<vec4<f32>, TILE_M * TILE_K_VECTORS>;
var<workgroup> inputTile: array<vec4<f32>, TILE_K * INPUT_PITCH>;

fn outputOffset(channelBase: u32, k: u32) -> u32 {
  return channelBase + (k / geometry.outputPositions) * geometry.outputStrides.x
    + (k % geometry.outputPositions) * geometry.outputStrides.z;
}

fn loadGradients(channelBase: u32, k: u32, end: u32) -> vec4<f32> {
  var values: vec4<f32>;
  if (VECTOR_GRADIENT) {
    let vector = select(0u, outputOffset(channelBase, k) / 4u, k < end);
    values = vec4<f32>(gradientVectors[vector]);
    if (MASKED) {
      values = maskGradients(values, vec4<f32>(activatedVectors[vector]));
    }
    return select(vec4<f32>(0.0), values, k < end);
  }
  for (var i = 0u; i < 4u; i++) { // @unroll
    values[i] = loadGradient(outputOffset(channelBase, k + i), k + i < end);
  }
  return values;
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
  let filterWeights = geometry.inputChannels * TAPS;
  let extentN = filterWeights + select(0u, 1u, HAS_BIAS);

  // The four of N whose patches this thread loads, the same throughout.
  let loadVector = select(thread % TILE_N_VECTORS, thread / INPUT_STEP, ALONG_K);
  let loadK = select(thread / TILE_N_VECTORS, thread % INPUT_STEP, ALONG_K);
  var origins: array<vec3<i32>, 4>;
  var channels: array<u32, 4>;
  for (var j = 0u; j < 4u; j++) { // @unroll
    let n = min(firstN + loadVector * 4u + j, filterWeights - 1u);
    origins[j] = originOf(n, geometry.padBegin);
    channels[j] = (group * geometry.inputChannels + n / TAPS) * geometry.inputStrides.y;
  }

  // Block by block: the partial result holds what those before have summed.
  let begin = split * geometry.kPerSplit;
  let end = min(begin + geometry.kPerSplit, geometry.k);
  var sums: array<vec4<f32>, M_PER_THREAD * VECTORS_PER_THREAD>;
  var totals: array<vec4<f32>, M_PER_THREAD * VECTORS_PER_THREAD>;
  for (var first = begin; first < end; first += BLOCK_K) {
    for (var i = 0u; i < M_PER_THREAD * VECTORS_PER_THREAD; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    let tiles = (min(end - first, BLOCK_K) + TILE_K - 1u) / TILE_K;
    for (var tile = 0u; tile < tiles; tile++) {
      let firstK = first + tile * TILE_K;
      for (var i = 0u; i < GRADIENT_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        let channel = group * geometry.outputChannels
          + min(firstM + slot / TILE_K_VECTORS, geometry.outputChannels - 1u);
        let k = firstK + (slot % TILE_K_VECTORS) * 4u;
        gradientTile[slot] = loadGradients(channel * geometry.outputStrides.y, k, end);
      }
      for (var i = 0u; i < INPUT_LOADS; i++) { // @unroll
        let kInTile = loadK + i * INPUT_STEP;
        let k = firstK + kInTile;
        let output = unflatten(k % geometry.outputPositions, geometry.outputSize);
        let base = (k / geometry.outputPositions) * geometry.inputStrides.x;
        var values: vec4<f32>;
        for (var j = 0u; j < 4u; j++) { // @unroll
          let at = inputAt(output, origins[j], geometry.inputSize);
          let inside = isInside(at, geometry.inputSize) & (k < end);
          let offset = base + channels[j] + flatten(at, geometry.inputSize) * geometry.inputStrides.z;
          values[j] = select(loadInput(offset, inside), 1.0, firstN + loadVector * 4u + j >= filterWeights);
        }
        inputTile[kInTile * INPUT_PITCH + loadVector] = values;
      }
      workgroupBarrier();

      for (var turn = 0u; turn < TILE_K_VECTORS / UNROLL; turn++) {
        for (var u = 0u; u < UNROLL; u++) { // @unroll
          let kVector = turn * UNROLL + u;
          var patches: array<vec4<f32>, 4u * VECTORS_PER_THREAD>;
          for (var i = 0u; i < 4u; i++) { // @unroll
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              patches[i * VECTORS_PER_THREAD + v]
                = inputTile[(kVector * 4u + i) * INPUT_PITCH + v * THREADS_N + local.x];
            }
          }
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            let factors = gradientTile[(local.y * M_PER_THREAD + m) * TILE_K_VECTORS + kVector];
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              sums[m * VECTORS_PER_THREAD + v] += factors.x * patches[v];
              sums[m * VECTORS_PER_THREAD + v] += factors.y * patches[VECTORS_PER_THREAD + v];
              sums[m * VECTORS_PER_THREAD + v] += factors.z * patches[2u * VECTORS_PER_THREAD + v];
              sums[m * VECTORS_PER_THREAD + v] += factors.w * patches[3u * VECTORS_PER_THREAD + v];
            }
          }
        }
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
        // One of M after the other. Reads beyond the last of N mean nothing. They are not stored.
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          let channel = firstM + local.y * M_PER_THREAD + m;
          let base = (outer * geometry.outputChannels + channel) * extentN + firstN + local.x * 4u;
          if (first > begin) {
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              for (var j = 0u; j < 4u; j++) { // @unroll
                sums[m * VECTORS_PER_THREAD + v][j] += partials[base + v * THREADS_N * 4u + j];
              }
            }
          }
          if (first + BLOCK_K < end && channel < geometry.outputChannels) {
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              for (var j = 0u; j < 4u; j++) { // @unroll
                if (firstN + (v * THREADS_N + local.x) * 4u + j < extentN) {
                  partials[base + v * THREADS_N * 4u + j] = sums[m * VECTORS_PER_THREAD + v][j];
                }
              }
            }
          }
        }
      }
    } @else {
      break;
    }
  }

  for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
    let channel = firstM + local.y * M_PER_THREAD + m;
    if (channel < geometry.outputChannels) {
      let base = (outer * geometry.outputChannels + channel) * extentN;
      for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
        for (var j = 0u; j < 4u; j++) { // @unroll
          let n = firstN + (v * THREADS_N + local.x) * 4u + j;
          if (n < extentN) {
            partials[base + n] = sums[m * VECTORS_PER_THREAD + v][j];
          }
        }
      }
    }
  }
}
