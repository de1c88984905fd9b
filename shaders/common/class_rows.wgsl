// Rows of logits and what they are compared with: a label each or, with DISTRIBUTION, a share of each class. The target
// of class c, with smoothing e of C classes and a weight for each class, is
//
//   q[c] = weight[c] * ((1 - e) * share[c] + e / C)
//
// where the share of a label's class is 1, and that of others 0.
import package::common::functions::isNaN;
import package::common::log_sum::{bothLogSums, emptyLogSum, LogSum, withExponent};
import package::common::rows::LANES;

alias Logit = f32; // @specialize
alias Share = f32; // @specialize
alias Weight = f32; // @specialize
const DISTRIBUTION: bool = false; // @specialize
const SMOOTHED: bool = false; // @specialize
const WEIGHTED: bool = false; // @specialize

const MINUS_INFINITY_BITS: u32 = 0xff800000u;
// Terms that a thread adds one after the other.
const BLOCK: u32 = 64u;

@group(0) @binding(1) var<storage, read> logits: array<Logit>;
@group(0) @binding(2) var<storage, read> shares: array<Share>;
@group(0) @binding(3) var<storage, read> classWeights: array<Weight>;

struct ClassLabel {
  index: u32,
  isIgnored: bool,
  isWrong: bool,
}

// Of a row. With DISTRIBUTION there is none.
fn labelOf(row: u32, classes: u32, ignored: f32) -> ClassLabel {
  if (DISTRIBUTION) {
    return ClassLabel(0u, false, false);
  }
  let value = f32(shares[row]);
  let isIgnored = value == ignored;
  let isRight = (value >= 0.0) & (value < f32(classes)) & (floor(value) == value) & !isNaN(value);
  return ClassLabel(select(0u, u32(max(value, 0.0)), isRight), isIgnored, !isRight & !isIgnored);
}

fn weightOf(c: u32) -> f32 {
  if (WEIGHTED) {
    return f32(classWeights[c]);
  }
  return 1.0;
}

fn targetOf(element: u32, c: u32, label: ClassLabel, smoothing: f32, classes: u32) -> f32 {
  var share = select(0.0, 1.0, c == label.index);
  if (DISTRIBUTION) {
    share = f32(shares[element]);
  }
  if (SMOOTHED) {
    share = fma(1.0 - smoothing, share, smoothing / f32(classes));
  }
  return weightOf(c) * share;
}

struct RowSums {
  exponents: LogSum,
  mass: f32, // sum of q[c]
  cross: f32, // sum of q[c] * (x[c] - origin)
}

// Near the logits that count, so that little is lost: that of the label, or of a distribution the first. 0 where that
// is -infinity and sums have others, which then are infinity or NaN.
fn originOf(start: u32, label: ClassLabel, inner: u32) -> f32 {
  let x = f32(logits[start + label.index * inner]);
  return select(x, 0.0, (DISTRIBUTION | SMOOTHED) & (bitcast<u32>(x) == MINUS_INFINITY_BITS));
}

fn emptyRow() -> RowSums {
  return RowSums(emptyLogSum(), 0.0, 0.0);
}

fn bothRows(a: RowSums, b: RowSums) -> RowSums {
  return RowSums(bothLogSums(a.exponents, b.exponents), a.mass + b.mass, a.cross + b.cross);
}

// A lane's part of a row that begins at an element.
fn sumRow(start: u32, lane: u32, label: ClassLabel, smoothing: f32, classes: u32, inner: u32) -> RowSums {
  let origin = originOf(start, label, inner);
  var total = emptyRow();
  var c = lane;
  while (c < classes) {
    let end = min(classes, c + BLOCK * LANES);
    var part = emptyRow();
    while (c < end) {
      let element = start + c * inner;
      let x = f32(logits[element]);
      part.exponents = withExponent(part.exponents, x);
      if (DISTRIBUTION | SMOOTHED) {
        let q = targetOf(element, c, label, smoothing, classes);
        part.mass += q;
        part.cross = fma(q, x - origin, part.cross);
      } else if (c == label.index) {
        part.mass = weightOf(c);
      }
      c += LANES;
    }
    total = bothRows(total, part);
  }
  return total;
}
