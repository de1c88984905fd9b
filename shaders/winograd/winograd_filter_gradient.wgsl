// Winograd's transform of filters, backwards (common/winograd.wgsl): one thread a pair of output and input channel.
//
//   result[r, s] = G^T m G, m the PATCH x PATCH sums over tiles
//
// Dispatch: ceil(groups * outputChannels * inputChannels / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::winograd::{transformFilterGradient, KERNEL, PATCH};

const THREADS: u32 = 64u;

struct Geometry {
  filters: u32, // groups * outputChannels * inputChannels
  outputChannels: u32, // per group, as inputChannels
  inputChannels: u32,
  weightStrides: vec3<u32>, // output channel, input channel, tap
  weightGroupStride: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

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
  let row = filterIndex / geometry.inputChannels;
  let base = (row / geometry.outputChannels) * geometry.weightGroupStride
    + (row % geometry.outputChannels) * geometry.weightStrides.x
    + (filterIndex % geometry.inputChannels) * geometry.weightStrides.y;
  var columns: array<array<f32, 5>, PATCH>;
  for (var x = 0u; x < PATCH; x++) { // @unroll
    var values: array<f32, 6>;
    for (var y = 0u; y < PATCH; y++) { // @unroll
      values[y] = sums[(y * PATCH + x) * geometry.filters + filterIndex];
    }
    columns[x] = transformFilterGradient(values);
  }
  for (var y = 0u; y < KERNEL; y++) { // @unroll
    var values: array<f32, 6>;
    for (var x = 0u; x < PATCH; x++) { // @unroll
      values[x] = columns[x][y];
    }
    let taps = transformFilterGradient(values);
    for (var x = 0u; x < KERNEL; x++) { // @unroll
      result[base + (y * KERNEL + x) * geometry.weightStrides.z] = Element(taps[x]);
    }
  }
}
