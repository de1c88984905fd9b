// Sums of exponentials in one pass, relative to the largest exponent so far. A NaN makes the sum NaN.
import package::common::functions::{expDown, isNaN, log1pUnit};

struct LogSum {
  largest: f32,
  sum: f32, // of exp(x - largest)
}

const LN2: f32 = 0.69314718055994531;
// The least finite number, so that no exponent but -infinity is below it.
const NOTHING: f32 = -3.4028234663852886e38;

fn emptyLogSum() -> LogSum {
  return LogSum(NOTHING, 0.0);
}

fn withExponent(before: LogSum, x: f32) -> LogSum {
  let isLarger = x > before.largest;
  let e = expDown(-abs(x - before.largest));
  let sum = select(before.sum + e, fma(before.sum, e, 1.0), isLarger);
  return LogSum(select(before.largest, x, isLarger), select(sum, x, isNaN(x)));
}

fn bothLogSums(a: LogSum, b: LogSum) -> LogSum {
  let e = expDown(-abs(a.largest - b.largest));
  let isFirst = a.largest >= b.largest;
  return LogSum(
    select(b.largest, a.largest, isFirst),
    select(fma(a.sum, e, b.sum), fma(b.sum, e, a.sum), isFirst),
  );
}

// Whether exponents were such that their distribution is not defined: all -infinity, one of them infinity or NaN.
fn isUndefined(sums: LogSum) -> bool {
  return isNaN(sums.sum) | (sums.sum == 0.0) | (abs(sums.largest) > 3.4028234e38);
}

// log(sum), for a sum of at least 1: of the mantissa, and of the power of two.
fn logOfSum(sums: LogSum) -> f32 {
  let bits = bitcast<u32>(sums.sum);
  let exponent = f32(i32(bits >> 23u) - 127);
  let mantissa = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
  return fma(exponent, LN2, log1pUnit(mantissa - 1.0));
}
