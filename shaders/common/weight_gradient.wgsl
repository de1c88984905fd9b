// The weight gradient as a matrix product.
//
//   m: output channel of a group
//   n: (input channel, tap), tap fastest. With HAS_BIAS one more n follows, whose patch is 1 everywhere: its sums are
//      the bias gradient
//   k: output position, counted through the batch
//
// K is split: each part of it writes a partial result of its own, [split][group][m][n]. reduce_partials.wgsl adds them
// in a fixed order, so that results are the same in every run.
import package::common::padding::paddedSource;
import package::common::space::RANK;
import package::common::taps::{
  DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH, KERNEL_HEIGHT, KERNEL_WIDTH, STRIDE_DEPTH, STRIDE_HEIGHT,
  STRIDE_WIDTH, TAPS
};

// Tap number `tap` along each axis.
fn tapAt(tap: u32) -> vec3<u32> {
  let plane = tap / KERNEL_WIDTH;
  return vec3<u32>(plane / KERNEL_HEIGHT, plane % KERNEL_HEIGHT, tap % KERNEL_WIDTH);
}

// The input element that the tap of n reads for output (0, 0, 0). It may be negative.
fn originOf(n: u32, padBegin: vec3<i32>) -> vec3<i32> {
  return vec3<i32>(tapAt(n % TAPS) * vec3<u32>(DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH)) - padBegin;
}

// The input element that it reads for an output position, one axis at a time.
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
