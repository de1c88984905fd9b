// Winograd's transform of filters (common/winograd.wgsl): one thread a pair of result and source channel.
//
//   result[(p * groups + g) * R + r, s] = product p of G w[r, s] G^T, flipped on both axes if TRANSPOSED
//
// Dispatch: ceil(groups * R * S / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::winograd::{transformFilter, PATCH};

const THREADS: u32 = 64u;
const TRANSPOSED: bool = false; // @specialize

struct Geometry {
  filters: u32, // groups * resultChannels * sourceChannels
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let filterIndex = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (filterIndex >= geometry.filters) {
    return;
  }
  let s = filterIndex % geometry.sourceChannels;
  let row = filterIndex / geometry.sourceChannels;
  let base = (row / geometry.resultChannels) * geometry.weightGroupStride
    + (row % geometry.resultChannels) * geometry.weightStrides.x
    + s * geometry.weightStrides.y;
  var columns: array<array<f32, 6>, 3>;
  for (var x = 0u; x < 3u; x++) { // @unroll
    var column: array<f32, 3>;
    for (var y = 0u; y < 3u; y++) { // @unroll
      let tap = y * 3u + x;
      column[y] = f32(weight[base + select(tap, 8u - tap, TRANSPOSED) * geometry.weightStrides.z]);
    }
    columns[x] = transformFilter(column);
  }
  for (var y = 0u; y < PATCH; y++) { // @unroll
    let products = transformFilter(array<f32, 3>(columns[0][y], columns[1][y], columns[2][y]));
    for (var x = 0u; x < PATCH; x++) { // @unroll
      result[(y * PATCH + x) * geometry.filters + filterIndex] = products[x];
    }
  }
}
