// Up to four operands of a term: tensors that are broadcast, or numbers. Vectors have a component an operand.

alias First = f32; // @specialize
alias Second = f32; // @specialize
alias Third = f32; // @specialize
alias Fourth = f32; // @specialize
// How many operands there are, and a bit for each that is a number and no tensor.
const OPERANDS: u32 = 1u; // @specialize
const NUMBERS: u32 = 0u; // @specialize

@group(0) @binding(1) var<storage, read> firstOperand: array<First>;
@group(0) @binding(2) var<storage, read> secondOperand: array<Second>;
@group(0) @binding(3) var<storage, read> thirdOperand: array<Third>;
@group(0) @binding(4) var<storage, read> fourthOperand: array<Fourth>;

// Where an index lies in the operands: it runs over `axes` axes, innermost first, with these steps from one index of an
// axis to the next. `extents` has those of the inner axes.
fn offsetsAt(
  index: u32,
  axes: u32,
  extents: vec3<u32>,
  steps0: vec4<u32>,
  steps1: vec4<u32>,
  steps2: vec4<u32>,
  steps3: vec4<u32>,
) -> vec4<u32> {
  if (axes == 1u) {
    return index * steps0;
  }
  var offsets = (index % extents.x) * steps0;
  var rest = index / extents.x;
  if (axes == 2u) {
    return offsets + rest * steps1;
  }
  offsets += (rest % extents.y) * steps1;
  rest /= extents.y;
  if (axes == 3u) {
    return offsets + rest * steps2;
  }
  return offsets + (rest % extents.z) * steps2 + (rest / extents.z) * steps3;
}

fn operandsAt(offsets: vec4<u32>, numbers: vec4<f32>) -> vec4<f32> {
  var values = numbers;
  if ((NUMBERS & 1u) == 0u) {
    values.x = f32(firstOperand[offsets.x]);
  }
  if ((OPERANDS > 1u) & ((NUMBERS & 2u) == 0u)) {
    values.y = f32(secondOperand[offsets.y]);
  }
  if ((OPERANDS > 2u) & ((NUMBERS & 4u) == 0u)) {
    values.z = f32(thirdOperand[offsets.z]);
  }
  if ((OPERANDS > 3u) & ((NUMBERS & 8u) == 0u)) {
    values.w = f32(fourthOperand[offsets.w]);
  }
  return values;
}
