// Register tiles, weight gradient: a matrix product without workgroup memory.
//
//   partials[split][g, m, n] = sum over positions p of the split of dy[m, p] * patches[p, n]
//
// m, n and partials: common/weight_gradient.wgsl. Each thread holds M_PER_THREAD x N_PER_THREAD sums. K, the output
// positions, is cut into segments of one output row each, so that the innermost loop walks along the width without a
// division. With BROADCAST_LANES above 1, and the condition SUBGROUPS, the lanes of a subgroup load the gradients of as
// many positions, one each, and broadcast them.
// Dispatch: splitK x groups x tilesM x tilesN workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::taps::TAPS;
import package::common::weight_gradient::{inputDepth, inputHeight, inputWidth, originOf};
import package::common::epilogue::HAS_BIAS;
import package::common::gradient::{gradientAt, input};
@if(SUBGROUPS) enable subgroups;

const THREADS: u32 = 64u; // @specialize
const M_PER_THREAD: u32 = 4u; // @specialize
const N_PER_THREAD: u32 = 4u; // @specialize
const BROADCAST_LANES: u32 = 1u; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the partial result. On
// condition IN_REGISTERS they are added up in registers.
const MOST_POSITIONS: u32 = 0x40000000u;

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
  segments: u32, // batch * output rows * segmentsPerRow
  segmentsPerRow: u32,
  segmentLength: u32,
  segmentsPerSplit: u32,
  segmentsPerBlock: u32,
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

struct Invocation {
  @builtin(local_invocation_index) thread: u32,
  @if(SUBGROUPS) @builtin(subgroup_invocation_id) lane: u32,
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  place: Invocation,
) {
  var lane = 0u;
  @if(SUBGROUPS) lane = place.lane % BROADCAST_LANES;
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  let nTile = task % geometry.tilesN;
  let mTile = (task / geometry.tilesN) % geometry.tilesM;
  let outer = task / (geometry.tilesN * geometry.tilesM);
  let group = outer % geometry.groups;
  let split = outer / geometry.groups;
  let firstM = mTile * M_PER_THREAD;
  let firstN = (nTile * THREADS + place.thread) * N_PER_THREAD;
  let filterWeights = geometry.inputChannels * TAPS;
  let extentN = filterWeights + select(0u, 1u, HAS_BIAS);
  // Threads beyond the last of N compute the last once more: lanes that broadcast must all be there.
  var origins: array<vec3<i32>, N_PER_THREAD>;
  var channels: array<u32, N_PER_THREAD>;
  for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
    let n = min(firstN + j, filterWeights - 1u);
    origins[j] = originOf(n, geometry.padBegin);
    channels[j] = (group * geometry.inputChannels + n / TAPS) * geometry.inputStrides.y;
  }
  var channelBases: array<u32, M_PER_THREAD>;
  for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
    channelBases[m] = (group * geometry.outputChannels + min(firstM + m, geometry.outputChannels - 1u))
      * geometry.outputStrides.y;
  }

  let size = geometry.inputSize;
  // Block by block: the partial result holds what those before have summed.
  let begin = split * geometry.segmentsPerSplit;
  let end = min(geometry.segments, begin + geometry.segmentsPerSplit);
  var sums: array<f32, M_PER_THREAD * N_PER_THREAD>;
  var totals: array<f32, M_PER_THREAD * N_PER_THREAD>;
  for (var first = begin; first < end; first += geometry.segmentsPerBlock) {
    for (var i = 0u; i < M_PER_THREAD * N_PER_THREAD; i++) { // @unroll
      sums[i] = 0.0;
    }
    let blockEnd = min(end, first + geometry.segmentsPerBlock);
    for (var segment = first; segment < blockEnd; segment++) {
      let start = (segment % geometry.segmentsPerRow) * geometry.segmentLength;
      let row = segment / geometry.segmentsPerRow;
      let height = row % geometry.outputSize.y;
      let depth = (row / geometry.outputSize.y) % geometry.outputSize.x;
      let sample = row / (geometry.outputSize.y * geometry.outputSize.x);
      let length = min(geometry.segmentLength, geometry.outputSize.z - start);
      let outputBase = sample * geometry.outputStrides.x
        + ((depth * geometry.outputSize.y + height) * geometry.outputSize.z + start) * geometry.outputStrides.z;

      var inside: array<bool, N_PER_THREAD>;
      var bases: array<u32, N_PER_THREAD>;
      for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
        let atDepth = inputDepth(depth, origins[j], size);
        let atHeight = inputHeight(height, origins[j], size);
        inside[j] = (atDepth < size.x) & (atHeight < size.y);
        bases[j] = sample * geometry.inputStrides.x + channels[j]
          + select(0u, atDepth * size.y + atHeight, inside[j]) * size.z * geometry.inputStrides.z;
      }
      for (var i = 0u; i < MOST_POSITIONS; i++) {
        let firstPosition = i * BROADCAST_LANES;
        if (firstPosition >= length) {
          break;
        }
        // Beyond the end gradients are 0, and patches too, lest 0 meet an infinity.
        let own = firstPosition + lane;
        let ownOffset = outputBase + min(own, length - 1u) * geometry.outputStrides.z;
        var gradients: array<f32, M_PER_THREAD>;
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          gradients[m] = select(0.0, gradientAt(ownOffset + channelBases[m]), own < length);
        }
        // One of N after the other: neighbouring positions lie in one cache line, and weights may all lie far apart.
        var patches: array<f32, N_PER_THREAD * BROADCAST_LANES>;
        for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
          for (var s = 0u; s < BROADCAST_LANES; s++) { // @unroll
            let width = inputWidth(start + firstPosition + s, origins[j], size);
            let meets = inside[j] & (width < size.z) & (firstPosition + s < length);
            let value = select(0.0, f32(input[bases[j] + select(0u, width, meets) * geometry.inputStrides.z]), meets);
            patches[j * BROADCAST_LANES + s] = select(value, 1.0, firstN + j >= filterWeights);
          }
        }
        for (var s = 0u; s < BROADCAST_LANES; s++) { // @unroll
          for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
            var gradient = gradients[m];
            @if(SUBGROUPS) gradient = subgroupBroadcast(gradients[m], s);
            for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
              sums[m * N_PER_THREAD + j] += gradient * patches[j * BROADCAST_LANES + s];
            }
          }
        }
      }
    }

    @if(BLOCKED) {
      @if(IN_REGISTERS) {
        for (var i = 0u; i < M_PER_THREAD * N_PER_THREAD; i++) { // @unroll
          totals[i] += sums[i];
          sums[i] = totals[i];
        }
      } @else {
        // One of M after the other. Reads beyond the last of N mean nothing. They are not stored.
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          let base = (outer * geometry.outputChannels + firstM + m) * extentN + firstN;
          if (first > begin) {
            for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
              sums[m * N_PER_THREAD + j] += partials[base + j];
            }
          }
          if (blockEnd < end && firstM + m < geometry.outputChannels) {
            for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
              if (firstN + j < extentN) {
                partials[base + j] = sums[m * N_PER_THREAD + j];
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
    let channel = firstM + m;
    if (channel < geometry.outputChannels) {
      let base = (outer * geometry.outputChannels + channel) * extentN;
      for (var j = 0u; j < N_PER_THREAD; j++) { // @unroll
        let n = firstN + j;
        if (n < extentN) {
          partials[base + n] = sums[m * N_PER_THREAD + j];
        }
      }
    }
  }
}
