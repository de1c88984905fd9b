// float16 where shaders have no f16: a word holds two, the first in its low half.

const LARGEST_HALF: f32 = 65504.0;
// Values from here on round to infinity.
const HALF_OVERFLOW: f32 = 65520.0;
const HALF_INFINITY: u32 = 0x7c00u;
const HALF_NAN: u32 = 0x7e00u;

// The bits of the element at `place`, which lies in `word`; and its value.
fn halfIn(word: u32, place: u32) -> u32 {
  return (word >> (16u * (place % 2u))) & 0xffffu;
}

fn unpackHalf(word: u32, place: u32) -> f32 {
  return unpack2x16float(word >> (16u * (place % 2u))).x;
}

fn unpackHalves(words: vec2<u32>) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}

// The float16 nearest to a value. What is too large for it becomes infinity of its sign, as a conversion in the shader
// would give; WGSL leaves pack2x16float's result open there.
fn packHalf(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  let finite = pack2x16float(vec2<f32>(clamp(value, -LARGEST_HALF, LARGEST_HALF), 0.0)) & 0xffffu;
  let large = select(finite, sign | HALF_INFINITY, magnitude >= bitcast<u32>(HALF_OVERFLOW));
  return select(large, sign | HALF_NAN, magnitude > 0x7f800000u);
}

fn packPair(first: f32, second: f32) -> u32 {
  return packHalf(first) | (packHalf(second) << 16u);
}

fn packHalves(values: vec4<f32>) -> vec2<u32> {
  return vec2<u32>(packPair(values.x, values.y), packPair(values.z, values.w));
}
