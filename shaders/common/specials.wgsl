// NaN and infinities by their bits: a compiler may take it that there are none.
const INFINITY_BITS: u32 = 0x7f800000u;

// Whether a value is NaN; or, with `infinities`, no finite number.
fn isSpecial(value: f32, infinities: bool) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) >= INFINITY_BITS + select(1u, 0u, infinities);
}
