// Which source element a filter tap meets, for a pass that gathers (each result element sums over taps).
//
//   forward          source = result * stride + tap * dilation - padBegin
//   input gradient   source = (result + padBegin - tap * dilation) / stride, where it divides
//
// Everything that shapes a loop or a division is a constant; only sizes come at run time.

import package::common::space::RANK;

const TRANSPOSED: bool = false; // @specialize
const KERNEL_DEPTH: u32 = 1u; // @specialize
const KERNEL_HEIGHT: u32 = 3u; // @specialize
const KERNEL_WIDTH: u32 = 3u; // @specialize
const STRIDE_DEPTH: u32 = 1u; // @specialize
const STRIDE_HEIGHT: u32 = 1u; // @specialize
const STRIDE_WIDTH: u32 = 1u; // @specialize
const DILATION_DEPTH: u32 = 1u; // @specialize
const DILATION_HEIGHT: u32 = 1u; // @specialize
const DILATION_WIDTH: u32 = 1u; // @specialize
const TAPS: u32 = KERNEL_DEPTH * KERNEL_HEIGHT * KERNEL_WIDTH;

// No element: larger than any extent, so that `coordinate < size` is the whole test.
const NOWHERE: u32 = 0xffffffffu;

// The source coordinate of tap (0, 0, 0), before the division by stride if transposed. It may be negative.
fn gatherOrigin(result: vec3<u32>, padBegin: vec3<i32>) -> vec3<i32> {
  if (TRANSPOSED) {
    return vec3<i32>(result) + padBegin;
  }
  return vec3<i32>(result * vec3<u32>(STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH)) - padBegin;
}

// Coordinate along one axis; anything not below the axis' size means "no element".
fn gatherCoordinate(origin: i32, distance: u32, stride: u32) -> u32 {
  if (TRANSPOSED) {
    let scaled = u32(origin - i32(distance));
    let meets = (scaled % stride == 0u) & (scaled < 0x80000000u);
    return select(NOWHERE, scaled / stride, meets);
  }
  return u32(origin + i32(distance));
}

fn gatherDepth(origin: vec3<i32>, tap: u32) -> u32 {
  if (RANK < 3u) {
    return 0u;
  }
  return gatherCoordinate(origin.x, tap * DILATION_DEPTH, STRIDE_DEPTH);
}

fn gatherHeight(origin: vec3<i32>, tap: u32) -> u32 {
  if (RANK < 2u) {
    return 0u;
  }
  return gatherCoordinate(origin.y, tap * DILATION_HEIGHT, STRIDE_HEIGHT);
}

fn gatherWidth(origin: vec3<i32>, tap: u32) -> u32 {
  return gatherCoordinate(origin.z, tap * DILATION_WIDTH, STRIDE_WIDTH);
}

// All three coordinates of tap number `tap` (row-major over depth, height, width).
fn gatherAt(origin: vec3<i32>, tap: u32) -> vec3<u32> {
  let plane = tap / KERNEL_WIDTH;
  return vec3<u32>(
    gatherDepth(origin, plane / KERNEL_HEIGHT),
    gatherHeight(origin, plane % KERNEL_HEIGHT),
    gatherWidth(origin, tap % KERNEL_WIDTH)
  );
}

fn isInside(at: vec3<u32>, size: vec3<u32>) -> bool {
  if (RANK == 1u) {
    return at.z < size.z;
  }
  if (RANK == 2u) {
    return (at.y < size.y) & (at.z < size.z);
  }
  return (at.x < size.x) & (at.y < size.y) & (at.z < size.z);
}
