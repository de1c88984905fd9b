// How a pass ends: bias, residual and activation are added to its sums, which are stored.
import package::common::element::Element;
import package::common::epilogue::{activate, activateVector, slopeIndex, ACTIVATION, HAS_BIAS, HAS_RESIDUAL, PRELU};
import package::common::source::activated;

// Condition VECTOR_RESULT: four neighbouring results lie in one aligned vector, and are written at once.
// One result, or four: as they are stored, and as they are summed.
alias Result = Element; // @specialize
alias Sum = f32; // @specialize

@group(0) @binding(4) var<storage, read> bias: array<Element>;
@group(0) @binding(5) var<storage, read> residual: array<Result>;
@group(0) @binding(6) var<storage, read_write> result: array<Result>;

fn prelu(value: Sum, slope: f32) -> Sum {
  return select(value * slope, value, value > Sum(0.0));
}

fn activateSum(value: Sum) -> Sum {
  @if(VECTOR_RESULT) return activateVector(value);
  @else return activate(value);
}

// The sum of a block, with what the result holds of earlier blocks. It goes back to the result where it `stores`.
fn carrySum(sum: Sum, place: u32, earlier: bool, stores: bool) -> Sum {
  let carried = sum + select(Sum(0.0), Sum(result[place]), earlier);
  if (stores) {
    result[place] = Result(carried);
  }
  return carried;
}

// Of a channel the sums at `place`, counted in what is stored. A partial result begins `firstResult` further on.
fn storeResult(sum: Sum, channel: u32, place: u32, firstResult: u32) {
  var value = sum;
  if (HAS_BIAS) {
    value += Sum(f32(bias[channel]));
  }
  if (HAS_RESIDUAL) {
    value += Sum(residual[place]);
  }
  if (ACTIVATION == PRELU) {
    value = prelu(value, f32(activated[slopeIndex(channel)]));
  }
  result[firstResult + place] = Result(activateSum(value));
}
