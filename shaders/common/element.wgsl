// What tensors are stored as. Sums are kept in f32 whatever this is.
//
// Condition HALVES: tensors are float16, and shaders have no f16 (halves.wgsl). Element is a word that holds two, and
// Vector two such words.
import package::common::halves::unpackHalves;

alias Element = f32; // @specialize
// Four neighbouring elements.
alias Vector = vec4f; // @specialize

fn valuesOf(vector: Vector) -> vec4<f32> {
  @if(HALVES) return unpackHalves(vector);
  @else return vec4<f32>(vector);
}
