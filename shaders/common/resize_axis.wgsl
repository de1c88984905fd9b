// Where elements of a resized axis lie in the source: at (step * i + shift) / divisor, in integers below 2^31, clamped
// to the source.

// Two neighbouring sources and the weight of the second; that of the first is the rest.
struct Neighbours {
  first: u32,
  second: u32,
  weight: f32,
}

// LINEAR: between neighbours; else the first is the nearest, as the host's shift says. A neighbour of weight 0 is not
// read: the first takes its place.
fn neighboursOf(i: u32, step: i32, shift: i32, divisor: i32, size: u32) -> Neighbours {
  let position = u32(max(step * i32(i) + shift, 0));
  let first = min(position / u32(divisor), size - 1u);
  let rest = position % u32(divisor);
  let second = select(first, min(first + 1u, size - 1u), rest > 0u);
  return Neighbours(first, second, select(0.0, f32(rest) / f32(divisor), second > first));
}
