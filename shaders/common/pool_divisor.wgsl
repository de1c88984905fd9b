// What the sum over a window of average pooling is divided by.
import package::common::windows::{KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH};

// 0: the number of its positions that count.
const DIVISOR: u32 = 0u; // @specialize

fn divisorOf(origin: vec3<i32>, countedFrom: vec3<i32>, countedTo: vec3<i32>) -> f32 {
  if (DIVISOR != 0u) {
    return f32(DIVISOR);
  }
  let end = min(origin + vec3<i32>(vec3<u32>(KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH)), countedTo);
  let counts = end - max(origin, countedFrom);
  return f32(counts.x * counts.y * counts.z);
}
