// Sums over all positions, of values or of sums of parts of them.
//
//   result[outer, part, inner] = (sum of source[outer, p, inner] over the positions p of the part) / divisor
//
// Dispatch: ceil(rows / (64 / LANES)) * parts workgroups, folded; a row is one outer and inner.
import package::common::grid::workgroupIndex;
import package::common::position_range::{LANES, laneStep, rangeOf, THREADS};

alias Source = f32; // @specialize
alias Result = f32; // @specialize

struct Geometry {
  rows: u32,
  positions: u32,
  inner: u32,
  parts: u32,
  partPositions: u32,
  divisor: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Source>;
@group(0) @binding(2) var<storage, read_write> result: array<Result>;

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  let positions = geometry.positions;
  let range = rangeOf(group, thread, positions, geometry.inner, geometry.parts, geometry.partPositions);
  var sum = 0.0;
  if (range.row < geometry.rows) {
    for (var p = range.begin; p < range.end; p += LANES) {
      sum += f32(source[range.base + p * geometry.inner]);
    }
  }
  sums[thread] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (range.lane < step) {
      sums[thread] += sums[thread + step * laneStep()];
    }
  }
  if (range.lane == 0u && range.row < geometry.rows) {
    result[range.partial] = Result(sums[thread] / geometry.divisor);
  }
}
