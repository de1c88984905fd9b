// Winograd's transform of filters (common/winograd.wgsl): one thread a pair of result and source channel.
//
//   result[p][group][tile of r][s][r in the tile] = product p of G w[r, s] G^T, flipped on both axes if TRANSPOSED
//
// Tiles are of one result channel, or as scalar_tile.wgsl reads them: beyond the last channel of either kind are zeros.
// Dispatch: ceil(groups * tilesM * paddedChannels * tileM / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::winograd::{transformFilter, KERNEL, PATCH};

const THREADS: u32 = 64u;
const TRANSPOSED: bool = false; // @specialize

struct Geometry {
  filters: u32, // groups * tilesM * paddedChannels * tileM
  tileM: u32,
  tilesM: u32,
  paddedChannels: u32, // sourceChannels, rounded up
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  firstWorkgroup: u32,
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
  let filterIndex = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (filterIndex >= geometry.filters) {
    return;
  }
  let row = filterIndex / geometry.tileM;
  let s = row % geometry.paddedChannels;
  let tile = row / geometry.paddedChannels;
  let r = (tile % geometry.tilesM) * geometry.tileM + filterIndex % geometry.tileM;
  let base = (tile / geometry.tilesM) * geometry.weightGroupStride
    + r * geometry.weightStrides.x + s * geometry.weightStrides.y;
  var columns: array<array<f32, 6>, KERNEL>;
  if (r < geometry.resultChannels && s < geometry.sourceChannels) {
    for (var x = 0u; x < KERNEL; x++) { // @unroll
      var column: array<f32, 5>;
      for (var y = 0u; y < KERNEL; y++) { // @unroll
        let tap = y * KERNEL + x;
        let last = KERNEL * KERNEL - 1u;
        column[y] = f32(weight[base + select(tap, last - tap, TRANSPOSED) * geometry.weightStrides.z]);
      }
      columns[x] = transformFilter(column);
    }
  }
  for (var y = 0u; y < PATCH; y++) { // @unroll
    var row: array<f32, 5>;
    for (var x = 0u; x < KERNEL; x++) { // @unroll
      row[x] = columns[x][y];
    }
    let products = transformFilter(row);
    for (var x = 0u; x < PATCH; x++) { // @unroll
      result[(y * PATCH + x) * geometry.filters + filterIndex] = products[x];
    }
  }
}
