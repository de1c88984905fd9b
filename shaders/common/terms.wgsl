// Terms of up to four values: what arithmetic and losses compute of each element, or sum. Each *_GRADIENT is that of
// the term above it. NaN stays NaN, though WGSL's comparisons and clamp may drop it.
import package::common::functions::{expDown, isNaN, log1pUnit, logistic};

const TERM: u32 = 0u; // @specialize

// Others are a. a + b, a - b, a b, a / b; the derivative of a quotient b / c by c, times a.
const SUM: u32 = 1u;
const DIFFERENCE: u32 = 2u;
const PRODUCT: u32 = 3u;
const QUOTIENT: u32 = 4u;
const DIVISOR_GRADIENT: u32 = 5u;
// Of d = a - b: d^2, |d|, and Huber's, d^2 / 2 up to |d| = delta and linear beyond. Gradients by a, times c.
const SQUARE: u32 = 6u;
const SQUARE_GRADIENT: u32 = 7u;
const MAGNITUDE: u32 = 8u;
const MAGNITUDE_GRADIENT: u32 = 9u;
const HUBER: u32 = 10u;
const HUBER_GRADIENT: u32 = 11u;
// Binary cross-entropy of a logit a and a target b, whose positive part counts c times; gradients by a and by b,
// times d.
const CROSS_ENTROPY: u32 = 12u;
const LOGIT_GRADIENT: u32 = 13u;
const TARGET_GRADIENT: u32 = 14u;

// log(1 + exp(x))
fn softplus(x: f32) -> f32 {
  return max(x, 0.0) + log1pUnit(expDown(-abs(x)));
}

fn huber(d: f32, delta: f32) -> f32 {
  return select(delta * (abs(d) - 0.5 * delta), 0.5 * d * d, abs(d) <= delta);
}

fn signOf(d: f32) -> f32 {
  return select(select(select(0.0, 1.0, d > 0.0), -1.0, d < 0.0), d, isNaN(d));
}

// Of the values a, b, c, d.
fn termOf(values: vec4<f32>, delta: f32) -> f32 {
  let a = values.x;
  let b = values.y;
  let c = values.z;
  switch (TERM) {
    case SUM: {
      return a + b;
    }
    case DIFFERENCE: {
      return a - b;
    }
    case PRODUCT: {
      return a * b;
    }
    case QUOTIENT: {
      return a / b;
    }
    case DIVISOR_GRADIENT: {
      return -(a / c) * (b / c);
    }
    case SQUARE: {
      return (a - b) * (a - b);
    }
    case SQUARE_GRADIENT: {
      return 2.0 * (a - b) * c;
    }
    case MAGNITUDE: {
      return abs(a - b);
    }
    case MAGNITUDE_GRADIENT: {
      return signOf(a - b) * c;
    }
    case HUBER: {
      return huber(a - b, delta);
    }
    case HUBER_GRADIENT: {
      return select(clamp(a - b, -delta, delta), a - b, isNaN(a - b)) * c;
    }
    case CROSS_ENTROPY: {
      // Of a target of 1 (1 - b) a is not 0 but NaN where a is infinite, and so is the loss.
      return (1.0 - b) * a + (1.0 + (c - 1.0) * b) * softplus(-a);
    }
    case LOGIT_GRADIENT: {
      return ((1.0 + (c - 1.0) * b) * select(logistic(a), a, isNaN(a)) - c * b) * values.w;
    }
    case TARGET_GRADIENT: {
      return ((c - 1.0) * softplus(-a) - a) * values.w;
    }
    default: {
      return a;
    }
  }
}
