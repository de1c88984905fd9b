// Lays out weights for implicit GEMM: for each result channel and tap those of all k in whole vectors of four.
//
//   result[group][result channel][tap][k] = weight, 0 beyond the last k
//
//   k: source channel; or source channel and tap together, as one tap (implicit_gemm.wgsl)
//
// Dispatch: ceil(groups * resultChannels * taps * ceil(k / 4) / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;

// Four of what tensors are stored as.
alias Result = vec4f; // @specialize

const THREADS: u32 = 64u;

struct Geometry {
  threads: u32, // groups * resultChannels * taps * tapVectors
  tapVectors: u32, // ceil(k / 4)
  taps: u32,
  resultChannels: u32, // per group
  k: u32, // of a tap
  weightStrides: vec3<u32>, // result channel, k, tap
  weightGroupStride: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Result>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let vector = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (vector >= geometry.threads) {
    return;
  }
  let pair = vector / geometry.tapVectors;
  let row = pair / geometry.taps;
  let base = (row / geometry.resultChannels) * geometry.weightGroupStride
    + (row % geometry.resultChannels) * geometry.weightStrides.x
    + (pair % geometry.taps) * geometry.weightStrides.z;
  var values: Result;
  for (var i = 0u; i < 4u; i++) { // @unroll
    let k = (vector % geometry.tapVectors) * 4u + i;
    if (k < geometry.k) {
      values[i] = weight[base + k * geometry.weightStrides.y];
    }
  }
  result[vector] = values;
}
