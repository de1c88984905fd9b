// Lays out weights for implicit GEMM: for each row and column those of all k in whole vectors of four.
//
//   result[group][row][column][k] = weight, 0 beyond the last k
//
//   rows are result channels, columns taps, k source channels; with channels along N rows are taps, columns source
//   channels, k result channels (tap_gemm.wgsl); or k are source channel and tap together (implicit_gemm.wgsl)
//
// Dispatch: ceil(groups * rows * columns * ceil(k / 4) / 64) workgroups, folded.
import package::common::element::{Element, Vector};
import package::common::grid::workgroupIndex;
import package::common::halves::halfIn;

const THREADS: u32 = 64u;

struct Geometry {
  threads: u32, // groups * rows * columns * kVectors
  kVectors: u32, // ceil(k / 4)
  columns: u32,
  rows: u32, // per group
  k: u32,
  weightStrides: vec3<u32>, // row, k, column
  weightGroupStride: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Vector>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let vector = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (vector >= geometry.threads) {
    return;
  }
  let pair = vector / geometry.kVectors;
  let row = pair / geometry.columns;
  let base = (row / geometry.rows) * geometry.weightGroupStride
    + (row % geometry.rows) * geometry.weightStrides.x
    + (pair % geometry.columns) * geometry.weightStrides.z;
  @if(HALVES) var values: vec4<u32>;
  @else var values: Vector;
  for (var i = 0u; i < 4u; i++) { // @unroll
    let k = (vector % geometry.kVectors) * 4u + i;
    if (k < geometry.k) {
      let place = base + k * geometry.weightStrides.y;
      @if(HALVES) values[i] = halfIn(weight[place / 2u], place);
      @else values[i] = weight[place];
    }
  }
  @if(HALVES) result[vector] = values.xz | (values.yw << vec2<u32>(16u));
  @else result[vector] = values;
}
