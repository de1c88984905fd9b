// Between float16 in packed pairs and float32, for devices whose shaders have no f16: one thread a pair.
//
//   TO_HALF false: words[i] = bits of unpack2x16float(pairs)      TO_HALF true: words[i] = pack2x16float(two values)
//
// Dispatch: ceil(pairs / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::halves::{packHalf, HALF_INFINITY};

const THREADS: u32 = 64u;
const TO_HALF: bool = false; // @specialize

struct Geometry {
  elements: u32,
  pairs: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

// The bits of the float32 that equals a float16, infinities and NaN included.
fn wordBits(half: u32) -> u32 {
  let sign = (half & 0x8000u) << 16u;
  let special = sign | 0x7f800000u | ((half & 0x3ffu) << 13u);
  return select(bitcast<u32>(unpack2x16float(half).x), special, (half & HALF_INFINITY) == HALF_INFINITY);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let pair = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (pair >= geometry.pairs) {
    return;
  }
  let first = pair * 2u;
  let second = first + 1u;
  if (TO_HALF) {
    var high = 0u;
    if (second < geometry.elements) {
      high = packHalf(bitcast<f32>(source[second]));
    }
    result[pair] = packHalf(bitcast<f32>(source[first])) | (high << 16u);
  } else {
    result[first] = wordBits(source[pair] & 0xffffu);
    if (second < geometry.elements) {
      result[second] = wordBits(source[pair] >> 16u);
    }
  }
}
