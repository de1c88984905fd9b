// Lays out weights for scalar_tile.wgsl: for each tile of M, tap and source channel the weights of the tile in a row.
//
//   result[group][tile of M][tap][source channel][m] = weight, 0 beyond the last channel of either kind
//
// Float32, whatever tensors are stored as: the loop that reads them converts nothing.
// Dispatch: ceil(groups * tilesM * taps * paddedChannels * tileM / 4 / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;

const THREADS: u32 = 64u;

struct Geometry {
  threads: u32, // groups * tilesM * taps * paddedChannels * tileM / 4
  tileVectors: u32, // of M: tileM / 4
  paddedChannels: u32, // sourceChannels, rounded up
  taps: u32,
  tilesM: u32,
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (index >= geometry.threads) {
    return;
  }
  let row = index / geometry.tileVectors;
  let channel = row % geometry.paddedChannels;
  let tapRow = row / geometry.paddedChannels;
  let tile = tapRow / geometry.taps;
  let firstM = ((tile % geometry.tilesM) * geometry.tileVectors + index % geometry.tileVectors) * 4u;
  let base = (tile / geometry.tilesM) * geometry.weightGroupStride
    + channel * geometry.weightStrides.y + (tapRow % geometry.taps) * geometry.weightStrides.z;
  var values: vec4<f32>;
  for (var i = 0u; i < 4u; i++) { // @unroll
    if (firstM + i < geometry.resultChannels && channel < geometry.sourceChannels) {
      values[i] = f32(weight[base + (firstM + i) * geometry.weightStrides.x]);
    }
  }
  result[index] = values;
}
