// How a pass ends: bias, residual and activation are added to its sums, which are stored.
import package::common::element::Element;
import package::common::epilogue::{activate, activateVector, slopeIndex, ACTIVATION, HAS_BIAS, HAS_RESIDUAL, PRELU};
import package::common::source::activated;

// Condition VECTOR_RESULT: four neighbouring results lie in one aligned vector, and are written at once. They are of
// one channel, or on condition VECTOR_CHANNELS of four channels, from one on.
// One result, or four: as they are stored, and as they are summed.
alias Result = Element; // @specialize
alias Sum = f32; // @specialize

@group(0) @binding(4) var<storage, read> bias: array<Element>;
@group(0) @binding(5) var<storage, read> residual: array<Result>;
@group(0) @binding(6) var<storage, read_write> result: array<Result>;

fn prelu(value: Sum, slope: Sum) -> Sum {
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

// The biases of a sum's channels, from one on; and a prelu's slopes.
fn biasesOf(channel: u32) -> Sum {
  var values: Sum;
  @if(VECTOR_CHANNELS) {
    for (var i = 0u; i < 4u; i++) { // @unroll
      values[i] = f32(bias[channel + i]);
    }
  } @else values = Sum(f32(bias[channel]));
  return values;
}

fn slopesOf(channel: u32) -> Sum {
  var values: Sum;
  @if(VECTOR_CHANNELS) {
    for (var i = 0u; i < 4u; i++) { // @unroll
      values[i] = f32(activated[slopeIndex(channel + i)]);
    }
  } @else values = Sum(f32(activated[slopeIndex(channel)]));
  return values;
}

// Of a channel, or of several from it on, the sums at `place`, counted in what is stored. A partial result begins
// `firstResult` further on.
fn storeResult(sum: Sum, channel: u32, place: u32, firstResult: u32) {
  var value = sum;
  if (HAS_BIAS) {
    value += biasesOf(channel);
  }
  if (HAS_RESIDUAL) {
    value += Sum(residual[place]);
  }
  if (ACTIVATION == PRELU) {
    value = prelu(value, slopesOf(channel));
  }
  result[firstResult + place] = Result(activateSum(value));
}
