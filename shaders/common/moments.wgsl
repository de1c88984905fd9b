// Count, mean and sum of squared deviations from it, of values of which no sum of squares is ever made: what is large
// beside its deviations does not cancel. Merged as in Chan, Golub and LeVeque, "Updating Formulae and a Pairwise
// Algorithm for Computing Sample Variances" (1979). Means are kept relative to a set's first member, so that they are
// rounded as deviations are, and not as what is large.
import package::common::normalization::invertedDeviation;

// Running statistics are updated, too.
const HAS_RUNNING: bool = false; // @specialize

struct Moments {
  count: f32,
  mean: f32,
  squares: f32,
}

// (mean, 1 / sqrt(variance + eps)), or (mean, squares) of the sets of a split.
@group(0) @binding(2) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> runningMean: array<f32>;
@group(0) @binding(4) var<storage, read_write> runningVariance: array<f32>;

fn mergedMoments(a: Moments, b: Moments) -> Moments {
  let count = a.count + b.count;
  let part = b.count / max(count, 1.0);
  let shift = b.mean - a.mean;
  return Moments(count, a.mean + shift * part, a.squares + (b.squares + shift * shift * (a.count * part)));
}

// The variance that normalises is that of the values; the running one estimates that of the population.
// `origin` is what the mean is relative to, `momentum` is (of what was, of the new one).
fn writeStatistics(cell: u32, moments: Moments, origin: f32, eps: f32, momentum: vec2<f32>) {
  let mean = origin + moments.mean;
  statistics[cell] = vec2<f32>(mean, invertedDeviation(moments.squares / moments.count, eps));
  if (HAS_RUNNING) {
    let variance = moments.squares / (moments.count - 1.0);
    runningMean[cell] = momentum.x * runningMean[cell] + momentum.y * mean;
    runningVariance[cell] = momentum.x * runningVariance[cell] + momentum.y * variance;
  }
}
