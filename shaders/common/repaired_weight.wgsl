// A weight gradient, summed once more without the terms of padding. Kernels multiply its zeros by dy, which gives NaN
// where that is infinite; here they are no terms.
import package::common::gradient::{gradientAt, inputElement};
import package::common::long_sum::{BLOCK_TERMS, LongSum, totalOf, withBlock};
import package::common::space::{flatten, unflatten};
import package::common::specials::isSpecial;
import package::common::taps::isInside;
import package::common::weight_gradient::{inputAt, originOf};

struct Layer {
  inputSize: vec3<u32>,
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  batch: u32,
  outputChannels: u32, // per group, as inputChannels
  inputChannels: u32,
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
}

// Of output channel m, of all groups, and input channel c of its group. A sum that is NaN with good reason ends early.
fn repairedWeight(m: u32, c: u32, tap: u32, layer: Layer) -> f32 {
  let positions = layer.outputSize.x * layer.outputSize.y * layer.outputSize.z;
  let origin = originOf(tap, layer.padBegin);
  let inputBase = ((m / layer.outputChannels) * layer.inputChannels + c) * layer.inputStrides.y;
  let outputBase = m * layer.outputStrides.y;
  let end = layer.batch * positions;
  var sum: LongSum;
  var k = 0u;
  while (k < end) {
    let blockEnd = min(end, k + BLOCK_TERMS);
    var terms = 0.0;
    while (k < blockEnd) {
      let sample = k / positions;
      let position = k % positions;
      let at = inputAt(unflatten(position, layer.outputSize), origin, layer.inputSize);
      if (isInside(at, layer.inputSize)) {
        let place = inputBase + sample * layer.inputStrides.x + flatten(at, layer.inputSize) * layer.inputStrides.z;
        let gradient = gradientAt(outputBase + sample * layer.outputStrides.x + position * layer.outputStrides.z);
        terms += gradient * inputElement(place);
      }
      k++;
    }
    if (isSpecial(terms, false)) {
      return terms;
    }
    sum = withBlock(sum, terms);
  }
  return totalOf(sum);
}
