// The sum of pairs of a sum and a count, and with MEAN the quotient of both:
//
//   result = sum of pairs[2 g] / sum of pairs[2 g + 1]     count = sum of pairs[2 g + 1]
//
// Dispatch: one workgroup.
const THREADS: u32 = 64u;
const MEAN: bool = false; // @specialize

struct Geometry {
  pairs: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> pairs: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<storage, read_write> count: array<f32>;

var<workgroup> sums: array<vec2<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = vec2<f32>(0.0);
  for (var i = thread; i < geometry.pairs; i += THREADS) {
    sum += pairs[i];
  }
  sums[thread] = sum;
  for (var left = THREADS / 2u; left > 0u; left /= 2u) {
    workgroupBarrier();
    if (thread < left) {
      sums[thread] += sums[thread + left];
    }
  }
  if (thread == 0u) {
    result[0] = select(sums[0].x, sums[0].x / sums[0].y, MEAN);
    count[0] = sums[0].y;
  }
}
