// What lies beyond the edge of the input (src/problem/padding.ts). Coordinates are at most one extent outside.

const PADDING_MODE: u32 = 0u; // @specialize

const PADDING_REFLECT: u32 = 1u;
const PADDING_SYMMETRIC: u32 = 2u;
const PADDING_REPLICATE: u32 = 3u;
const PADDING_CIRCULAR: u32 = 4u;

// The coordinate that supplies the value at `at`. With zeros it may be at or above `size`: no element.
fn paddedSource(at: i32, size: u32) -> u32 {
  let last = i32(size) - 1;
  if (PADDING_MODE == PADDING_REFLECT) {
    return u32(select(select(at, 2 * last - at, at > last), -at, at < 0));
  }
  if (PADDING_MODE == PADDING_SYMMETRIC) {
    return u32(select(select(at, 2 * last + 1 - at, at > last), -at - 1, at < 0));
  }
  if (PADDING_MODE == PADDING_REPLICATE) {
    return u32(clamp(at, 0, last));
  }
  if (PADDING_MODE == PADDING_CIRCULAR) {
    return u32(select(select(at, at - i32(size), at > last), at + i32(size), at < 0));
  }
  return u32(at);
}
