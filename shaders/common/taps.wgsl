// Which source elements a result element reads, for a pass that gathers (each result element sums over taps).
//
//   forward          source = result * stride + tap * dilation - padBegin
//   input gradient   source = (result + padBegin - tap * dilation) / stride, where it divides
//
// Transposed, only every TAP_STEP-th tap divides, from a first one on. The first one is the same for all results of a
// phase, that is, with the same remainder by the stride. So results are taken phase by phase, and loops run over the
// taps of a phase: the first one, then one each TAP_STEP, while the source moves by SOURCE_STEP. Forward there is one
// phase, which has all taps: the first is tap 0, and TAP_STEP is 1.
//
// Forward coordinates beyond the edge are mapped as the padding mode says. (The input gradient of a padded edge is
// border_input_gradient.wgsl's work.) What shapes a loop or a division is a constant. Sizes come at run time.
import package::common::padding::paddedSource;
import package::common::space::{flatten, RANK};

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
// stride / gcd(stride, dilation), and dilation / gcd(stride, dilation), if transposed; else 1 and the dilation.
const TAP_STEP_DEPTH: u32 = 1u; // @specialize
const TAP_STEP_HEIGHT: u32 = 1u; // @specialize
const TAP_STEP_WIDTH: u32 = 1u; // @specialize
const SOURCE_STEP_DEPTH: u32 = 1u; // @specialize
const SOURCE_STEP_HEIGHT: u32 = 1u; // @specialize
const SOURCE_STEP_WIDTH: u32 = 1u; // @specialize

const TAPS: u32 = KERNEL_DEPTH * KERNEL_HEIGHT * KERNEL_WIDTH;
// Taps of a phase, at most.
const PHASE_TAPS_DEPTH: u32 = (KERNEL_DEPTH + TAP_STEP_DEPTH - 1u) / TAP_STEP_DEPTH;
const PHASE_TAPS_HEIGHT: u32 = (KERNEL_HEIGHT + TAP_STEP_HEIGHT - 1u) / TAP_STEP_HEIGHT;
const PHASE_TAPS_WIDTH: u32 = (KERNEL_WIDTH + TAP_STEP_WIDTH - 1u) / TAP_STEP_WIDTH;
const PHASE_TAPS: u32 = PHASE_TAPS_DEPTH * PHASE_TAPS_HEIGHT * PHASE_TAPS_WIDTH;

// The first tap along an axis that divides for a result; at or above the kernel's extent if there is none below `taps`.
fn firstTapAlong(padded: i32, stride: u32, dilation: u32, taps: u32) -> u32 {
  // The remainder is never negative, though padded may be where the padding crops.
  let remainder = u32((padded % i32(stride) + i32(stride)) % i32(stride));
  if (dilation == 1u) {
    return remainder;
  }
  var first = 0x3fffffffu;
  for (var tap = 0u; tap < taps; tap++) {
    if ((tap * dilation) % stride == remainder) {
      first = tap;
    }
  }
  return first;
}

fn firstTap(position: vec3<u32>, padBegin: vec3<i32>) -> vec3<u32> {
  if (!TRANSPOSED) {
    return vec3<u32>(0u);
  }
  let padded = vec3<i32>(position) + padBegin;
  return vec3<u32>(
    firstTapAlong(padded.x, STRIDE_DEPTH, DILATION_DEPTH, min(TAP_STEP_DEPTH, KERNEL_DEPTH)),
    firstTapAlong(padded.y, STRIDE_HEIGHT, DILATION_HEIGHT, min(TAP_STEP_HEIGHT, KERNEL_HEIGHT)),
    firstTapAlong(padded.z, STRIDE_WIDTH, DILATION_WIDTH, min(TAP_STEP_WIDTH, KERNEL_WIDTH))
  );
}

// Where the source of the phase's first tap lies. It may be negative. It means nothing if that tap is beyond the
// kernel.
fn gatherOrigin(position: vec3<i32>, padBegin: vec3<i32>, first: vec3<u32>) -> vec3<i32> {
  let strides = vec3<i32>(vec3<u32>(STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH));
  if (TRANSPOSED) {
    let dilations = vec3<u32>(DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH);
    return (position + padBegin - vec3<i32>(first * dilations)) / strides;
  }
  return position * strides - padBegin;
}

// The coordinate that a tap reads along one axis, `distance` from the first. From the axis' size on there is no
// element.
fn gatherAlong(origin: i32, distance: u32, size: u32) -> u32 {
  if (TRANSPOSED) {
    return u32(origin - i32(distance));
  }
  return paddedSource(origin + i32(distance), size);
}

fn gatherAt(origin: vec3<i32>, phaseTap: vec3<u32>, size: vec3<u32>) -> vec3<u32> {
  let width = gatherAlong(origin.z, phaseTap.z * SOURCE_STEP_WIDTH, size.z);
  if (RANK == 1u) {
    return vec3<u32>(0u, 0u, width);
  }
  let height = gatherAlong(origin.y, phaseTap.y * SOURCE_STEP_HEIGHT, size.y);
  if (RANK == 2u) {
    return vec3<u32>(0u, height, width);
  }
  return vec3<u32>(gatherAlong(origin.x, phaseTap.x * SOURCE_STEP_DEPTH, size.x), height, width);
}

// Tap number `index` of a phase (row-major over depth, height, width), counted along each axis.
fn phaseTapAt(index: u32) -> vec3<u32> {
  let row = index / PHASE_TAPS_WIDTH;
  return vec3<u32>(row / PHASE_TAPS_HEIGHT, row % PHASE_TAPS_HEIGHT, index % PHASE_TAPS_WIDTH);
}

fn tapOf(first: vec3<u32>, phaseTap: vec3<u32>) -> vec3<u32> {
  return first + phaseTap * vec3<u32>(TAP_STEP_DEPTH, TAP_STEP_HEIGHT, TAP_STEP_WIDTH);
}

// How many taps of a phase there are along each axis, from its first one on.
fn tapCounts(first: vec3<u32>) -> vec3<u32> {
  let kernel = vec3<u32>(KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH);
  if (!TRANSPOSED) {
    return kernel;
  }
  let steps = vec3<u32>(TAP_STEP_DEPTH, TAP_STEP_HEIGHT, TAP_STEP_WIDTH);
  return (kernel - min(first, kernel) + steps - vec3<u32>(1u)) / steps;
}

fn isTap(tap: vec3<u32>) -> bool {
  return (tap.x < KERNEL_DEPTH) & (tap.y < KERNEL_HEIGHT) & (tap.z < KERNEL_WIDTH);
}

// How far the source of a phase's tap lies from its first one's, in positions; backward where transposed.
fn sourceStep(phaseTap: vec3<u32>, size: vec3<u32>) -> u32 {
  let steps = flatten(phaseTap * vec3<u32>(SOURCE_STEP_DEPTH, SOURCE_STEP_HEIGHT, SOURCE_STEP_WIDTH), size);
  return select(steps, 0u - steps, TRANSPOSED);
}

// Which steps of a phase's taps along each axis exist and meet the source, zeros beyond it, from the place of the first
// tap on: one bit for each, width first.
fn tapsInside(origin: vec3<i32>, first: vec3<u32>, size: vec3<u32>) -> u32 {
  var bits = 0u;
  for (var i = 0u; i < PHASE_TAPS_WIDTH; i++) {
    let inside = gatherAlong(origin.z, i * SOURCE_STEP_WIDTH, size.z) < size.z;
    bits |= select(0u, 1u << i, inside & (first.z + i * TAP_STEP_WIDTH < KERNEL_WIDTH));
  }
  for (var i = 0u; i < PHASE_TAPS_HEIGHT; i++) {
    let inside = gatherAlong(origin.y, i * SOURCE_STEP_HEIGHT, size.y) < size.y;
    bits |= select(0u, 1u << (PHASE_TAPS_WIDTH + i), inside & (first.y + i * TAP_STEP_HEIGHT < KERNEL_HEIGHT));
  }
  for (var i = 0u; i < PHASE_TAPS_DEPTH; i++) {
    let inside = gatherAlong(origin.x, i * SOURCE_STEP_DEPTH, size.x) < size.x;
    let bit = 1u << (PHASE_TAPS_WIDTH + PHASE_TAPS_HEIGHT + i);
    bits |= select(0u, bit, inside & (first.x + i * TAP_STEP_DEPTH < KERNEL_DEPTH));
  }
  return bits;
}

// The bits of a tap's own steps: it meets an element of the source where all of them are set.
fn tapBits(phaseTap: vec3<u32>) -> u32 {
  return (1u << phaseTap.z) | (1u << (PHASE_TAPS_WIDTH + phaseTap.y))
    | (1u << (PHASE_TAPS_WIDTH + PHASE_TAPS_HEIGHT + phaseTap.x));
}

fn tapNumber(tap: vec3<u32>) -> u32 {
  return (tap.x * KERNEL_HEIGHT + tap.y) * KERNEL_WIDTH + tap.z;
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
