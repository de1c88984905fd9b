// Bias gradient: partials[split, channel] = sum over samples and positions of the split of dy[n, channel, p].
// With SLOPES the gradient of a prelu's slopes: of dy * min(value, 0), `activated` being the values before the prelu.
//
// One workgroup a (split, channel): its threads sum strided elements, then a tree in workgroup memory adds
// the threads' sums. The order is fixed. Dispatch: splits x channels workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::long_sum::{BLOCK_TERMS, LongSum, totalOf, withBlock};
import package::common::epilogue::slopeTerm;
import package::common::gradient::{activatedAt, gradientAt};

const THREADS: u32 = 64u;
const SLOPES: bool = false; // @specialize
const LEVELS: u32 = 6u; // log2(THREADS)

struct Geometry {
  channels: u32,
  tasks: u32, // splitK * channels
  positions: u32, // of one sample
  k: u32, // batch * positions
  kPerSplit: u32,
  strides: vec3<u32>, // batch, channel, position
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  let channel = task % geometry.channels;
  let split = task / geometry.channels;
  let end = min(geometry.k, (split + 1u) * geometry.kPerSplit);
  var sum: LongSum;
  var k = split * geometry.kPerSplit + thread;
  while (k < end) {
    let blockEnd = min(end, k + BLOCK_TERMS * THREADS);
    var terms = 0.0;
    while (k < blockEnd) {
      let offset = (k / geometry.positions) * geometry.strides.x + channel * geometry.strides.y
        + (k % geometry.positions) * geometry.strides.z;
      var gradient = gradientAt(offset);
      if (SLOPES) {
        gradient = slopeTerm(gradient, activatedAt(offset));
      }
      terms += gradient;
      k += THREADS;
    }
    sum = withBlock(sum, terms);
  }
  sums[thread] = totalOf(sum);
  for (var level = 1u; level <= LEVELS; level++) {
    workgroupBarrier();
    let half = THREADS >> level;
    if (thread < half) {
      sums[thread] += sums[thread + half];
    }
  }
  if (thread == 0u) {
    partials[task] = sums[0];
  }
}
