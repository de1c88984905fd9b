// Windows of pooling: window o begins at o * stride - padBegin, and its tap t lies dilation * t beyond that. Axes that
// tensors lack have one window of one tap.

const KERNEL_DEPTH: u32 = 3u; // @specialize
const KERNEL_HEIGHT: u32 = 3u; // @specialize
const KERNEL_WIDTH: u32 = 3u; // @specialize
const STRIDE_DEPTH: u32 = 2u; // @specialize
const STRIDE_HEIGHT: u32 = 2u; // @specialize
const STRIDE_WIDTH: u32 = 2u; // @specialize
const DILATION_DEPTH: u32 = 1u; // @specialize
const DILATION_HEIGHT: u32 = 1u; // @specialize
const DILATION_WIDTH: u32 = 1u; // @specialize

fn windowOrigin(window: vec3<u32>, padBegin: vec3<u32>) -> vec3<i32> {
  return vec3<i32>(window * vec3<u32>(STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH)) - vec3<i32>(padBegin);
}

fn tapPosition(origin: vec3<i32>, tap: vec3<u32>) -> vec3<i32> {
  return origin + vec3<i32>(tap * vec3<u32>(DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH));
}

fn isWithin(position: vec3<i32>, size: vec3<u32>) -> bool {
  return all(position >= vec3<i32>(0)) && all(position < vec3<i32>(size));
}

// Windows along an axis that reach over a position, counted with the padding before it: from x to y, without y.
fn windowsOver(position: u32, extent: u32, stride: u32, windows: u32) -> vec2<u32> {
  var first = 0u;
  if (position >= extent) {
    first = (position - extent) / stride + 1u;
  }
  return vec2<u32>(first, min(position / stride + 1u, windows));
}

struct WindowRanges {
  depth: vec2<u32>,
  height: vec2<u32>,
  width: vec2<u32>,
}

fn windowRanges(padded: vec3<u32>, windows: vec3<u32>) -> WindowRanges {
  return WindowRanges(
    windowsOver(padded.x, (KERNEL_DEPTH - 1u) * DILATION_DEPTH + 1u, STRIDE_DEPTH, windows.x),
    windowsOver(padded.y, (KERNEL_HEIGHT - 1u) * DILATION_HEIGHT + 1u, STRIDE_HEIGHT, windows.y),
    windowsOver(padded.z, (KERNEL_WIDTH - 1u) * DILATION_WIDTH + 1u, STRIDE_WIDTH, windows.z),
  );
}
