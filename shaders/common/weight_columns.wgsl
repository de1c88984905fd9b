// The weight gradient as a matrix: rows are output channels of a group, columns are (input channel, tap).
// With HAS_BIAS one more column follows whose patch is 1 everywhere: its sums are the bias gradient.
//
// Sums run over output positions, counted through the batch ("depth"). They are split over workgroups;
// each split writes its own partial matrix, [split][group][row][column], and reduce_partials.wgsl adds
// them in a fixed order, so that results do not depend on timing.
import package::common::padding::paddedSource;
import package::common::space::RANK;
import package::common::taps::{
  DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH, KERNEL_HEIGHT, KERNEL_WIDTH,
  STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH, TAPS
};

// Input element that a column's tap meets from output (0, 0, 0); it may be negative.
fn columnOrigin(column: u32, padBegin: vec3<i32>) -> vec3<i32> {
  let tap = column % TAPS;
  let plane = tap / KERNEL_WIDTH;
  let distance = vec3<u32>(
    (plane / KERNEL_HEIGHT) * DILATION_DEPTH,
    (plane % KERNEL_HEIGHT) * DILATION_HEIGHT,
    (tap % KERNEL_WIDTH) * DILATION_WIDTH
  );
  return vec3<i32>(distance) - padBegin;
}

// Input element that an output position meets in that column, one axis at a time.
fn inputDepth(output: u32, origin: vec3<i32>, size: vec3<u32>) -> u32 {
  if (RANK < 3u) {
    return 0u;
  }
  return paddedSource(i32(output * STRIDE_DEPTH) + origin.x, size.x);
}

fn inputHeight(output: u32, origin: vec3<i32>, size: vec3<u32>) -> u32 {
  if (RANK < 2u) {
    return 0u;
  }
  return paddedSource(i32(output * STRIDE_HEIGHT) + origin.y, size.y);
}

fn inputWidth(output: u32, origin: vec3<i32>, size: vec3<u32>) -> u32 {
  return paddedSource(i32(output * STRIDE_WIDTH) + origin.z, size.z);
}

fn inputAt(output: vec3<u32>, origin: vec3<i32>, size: vec3<u32>) -> vec3<u32> {
  return vec3<u32>(
    inputDepth(output.x, origin, size),
    inputHeight(output.y, origin, size),
    inputWidth(output.z, origin, size)
  );
}
