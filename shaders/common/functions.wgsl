// Elementary functions in float32 that are the same on every device: WGSL's own may err by more (tanh by 1e-5), and
// what they make of infinities and NaN is up to the compiler.

// Below this exp underflows.
const LEAST_EXPONENT: f32 = -88.0;
// ln 2 in two parts (Cody and Waite); multiples of the first are exact.
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;

// By its bits: a compiler may take it that there is no NaN, and x != x then never is.
fn isNaN(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// exp(x) = scale * (1 + rest), with scale a power of two (0 where exp underflows).
struct SplitExp {
  scale: f32,
  rest: f32,
}

// Of an x of at most 0: with k = round(x / ln 2), the Taylor series of exp(x - k ln 2) - 1, whose error is 2^-26.
fn splitExp(x: f32) -> SplitExp {
  let bounded = max(x, LEAST_EXPONENT);
  let k = round(bounded * 1.4426950408889634);
  let r = fma(-k, LN2_LOW, fma(-k, LN2_HIGH, bounded));
  let last = fma(fma(1.0 / 5040.0, r, 1.0 / 720.0), r, 1.0 / 120.0);
  let series = fma(fma(fma(last, r, 1.0 / 24.0), r, 1.0 / 6.0), r, 0.5);
  return SplitExp(bitcast<f32>(u32(i32(k) + 127) << 23u), fma(r * r, series, r));
}

// exp(x) for x of at most 0.
fn expDown(x: f32) -> f32 {
  let e = splitExp(x);
  return fma(e.scale, e.rest, e.scale);
}

// exp(x) - 1 for x of at most 0, without the cancellation near 0.
fn expm1Down(x: f32) -> f32 {
  let e = splitExp(x);
  return fma(e.scale, e.rest, e.scale - 1.0);
}

// log(1 + u) for u from 0 to 1: twice the series of the inverse hyperbolic tangent of u / (2 + u), at most 1/3.
fn log1pUnit(u: f32) -> f32 {
  let s = u / (2.0 + u);
  let z = s * s;
  let tail = fma(fma(fma(fma(1.0 / 13.0, z, 1.0 / 11.0), z, 1.0 / 9.0), z, 1.0 / 7.0), z, 1.0 / 5.0);
  return 2.0 * fma(s * z, fma(tail, z, 1.0 / 3.0), s);
}

// 1 / (1 + exp(-x))
fn logistic(x: f32) -> f32 {
  let e = expDown(-abs(x));
  return select(e, 1.0, x > 0.0) / (1.0 + e);
}

// -m / (2 + m) with m = exp(-2 |x|) - 1
fn tanhOf(x: f32) -> f32 {
  let m = expm1Down(-2.0 * abs(x));
  let magnitude = -m / (2.0 + m);
  return select(magnitude, -magnitude, x < 0.0);
}

// Cumulative normal distribution through erfc: Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7.
fn normalCdf(value: f32) -> f32 {
  let x = abs(value) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.3275911 * x);
  let series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let tail = 0.5 * series * expDown(-x * x);
  return select(tail, 1.0 - tail, value > 0.0);
}
