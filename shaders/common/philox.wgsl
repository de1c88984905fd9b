// Philox4x32-10, as src/nn/philox.ts has it: four random words for a counter and a key (Salmon, Moraes, Dror and Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

const MULTIPLIER_0: u32 = 0xd2511f53u;
const MULTIPLIER_1: u32 = 0xcd9e8d57u;
const WEYL: vec2<u32> = vec2<u32>(0x9e3779b9u, 0xbb67ae85u);

// The upper half of a product of 64 bits, by halves of 16 bits.
fn upperHalf(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let cross = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (cross >> 16u);
}

fn philox(counter: vec4<u32>, seed: vec2<u32>) -> vec4<u32> {
  var c = counter;
  var key = seed;
  for (var round = 0u; round < 10u; round++) {
    c = vec4<u32>(
      upperHalf(MULTIPLIER_1, c.z) ^ c.y ^ key.x,
      MULTIPLIER_1 * c.z,
      upperHalf(MULTIPLIER_0, c.x) ^ c.w ^ key.y,
      MULTIPLIER_0 * c.x,
    );
    key += WEYL;
  }
  return c;
}
