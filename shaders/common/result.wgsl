// How a pass ends: bias, residual and activation are added to its sums, which are stored.
import package::common::element::Element;
import package::common::epilogue::{activate, activateVector, slopeIndex, ACTIVATION, HAS_BIAS, HAS_RESIDUAL, PRELU};
import package::common::halves::{packHalves, unpackHalf, unpackHalves};
import package::common::source::activatedAt;

// Condition VECTOR_RESULT: four neighbouring results lie in one aligned vector, and are written at once. They are of
// one channel, or on condition VECTOR_CHANNELS of four channels, from one on.
// Condition PACKED: they are written as float16, and shaders have no f16 (halves.wgsl).
// One result, or four: as they are stored, as a residual is, and as they are summed.
alias Result = Element; // @specialize
alias Residual = Element; // @specialize
alias Sum = f32; // @specialize

@group(0) @binding(4) var<storage, read> bias: array<Element>;
@group(0) @binding(5) var<storage, read> residual: array<Residual>;
@group(0) @binding(6) var<storage, read_write> result: array<Result>;

fn prelu(value: Sum, slope: Sum) -> Sum {
  return select(value * slope, value, value > Sum(0.0));
}

fn activateSum(value: Sum) -> Sum {
  @if(VECTOR_RESULT) return activateVector(value);
  @else return activate(value);
}

// What the result holds of earlier blocks; and what it is to hold for later ones. Packed results have one
// block. Several sums behind one condition compile fast; with a condition for each of 16, after its load, SwiftShader
// takes minutes.
fn earlierSum(place: u32) -> Sum {
  @if(PACKED) return Sum(0.0);
  @else return Sum(result[place]);
}

fn keepSum(sum: Sum, place: u32) {
  @if(PACKED) return;
  @else result[place] = Result(sum);
}

fn biasAt(channel: u32) -> f32 {
  @if(HALVES) return unpackHalf(bias[channel / 2u], channel);
  @else return f32(bias[channel]);
}

fn residualAt(place: u32) -> Sum {
  @if(HALVES) {
    @if(VECTOR_RESULT) return unpackHalves(residual[place]);
    @else return unpackHalf(residual[place / 2u], place);
  } @else {
    return Sum(residual[place]);
  }
}

// The biases of a sum's channels, from one on; and a prelu's slopes.
fn biasesOf(channel: u32) -> Sum {
  var values: Sum;
  @if(VECTOR_CHANNELS) {
    for (var i = 0u; i < 4u; i++) { // @unroll
      values[i] = biasAt(channel + i);
    }
  } @else values = Sum(biasAt(channel));
  return values;
}

fn slopesOf(channel: u32) -> Sum {
  var values: Sum;
  @if(VECTOR_CHANNELS) {
    for (var i = 0u; i < 4u; i++) { // @unroll
      values[i] = activatedAt(slopeIndex(channel + i));
    }
  } @else values = Sum(activatedAt(slopeIndex(channel)));
  return values;
}

// What becomes of the sums at `place`, counted in what is stored, of a channel, or of several from it on.
fn finishSum(sum: Sum, channel: u32, place: u32) -> Sum {
  var value = sum;
  if (HAS_BIAS) {
    value += biasesOf(channel);
  }
  if (HAS_RESIDUAL) {
    value += residualAt(place);
  }
  if (ACTIVATION == PRELU) {
    value = prelu(value, slopesOf(channel));
  }
  return activateSum(value);
}

// Stores them. A partial result begins `firstResult` further on. Who packs single results does so by itself.
fn storeResult(sum: Sum, channel: u32, place: u32, firstResult: u32) {
  let value = finishSum(sum, channel, place);
  @if(PACKED) {
    @if(VECTOR_RESULT) result[firstResult + place] = packHalves(value);
  } @else {
    result[firstResult + place] = Result(value);
  }
}
