// The root of a sum of squares that comes in parts: norm[0] = sqrt(sum of partials).
//
// Dispatch: one workgroup.
import package::common::grid::workgroupIndex;
import package::common::long_sum::{LongSum, totalOf, withBlock};

const THREADS: u32 = 64u;

struct Geometry {
  count: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> norm: array<f32>;

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  var sum = LongSum(0.0, 0.0, 0.0, 0u);
  for (var i = thread; i < geometry.count; i += THREADS) {
    sum = withBlock(sum, partials[i]);
  }
  sums[thread] = totalOf(sum);
  for (var other = THREADS / 2u; other > 0u; other /= 2u) {
    workgroupBarrier();
    if (thread < other) {
      sums[thread] += sums[thread + other];
    }
  }
  if (thread == 0u && workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) == 0u) {
    norm[0] = sqrt(sums[0]);
  }
}
