// What a weight gradient reads: dy, whose relu's derivative is applied on the way, and x.
import package::common::element::Element;
import package::common::epilogue::{maskGradient, MASKED};
import package::common::halves::unpackHalf;

@group(0) @binding(1) var<storage, read> outputGradient: array<Element>;
@group(0) @binding(2) var<storage, read> activated: array<Element>;
@group(0) @binding(3) var<storage, read> input: array<Element>;

fn activatedAt(place: u32) -> f32 {
  @if(HALVES) return unpackHalf(activated[place / 2u], place);
  @else return f32(activated[place]);
}

fn unmaskedAt(place: u32) -> f32 {
  @if(HALVES) return unpackHalf(outputGradient[place / 2u], place);
  @else return f32(outputGradient[place]);
}

// The gradient at a place that exists; likewise of the input.
fn gradientAt(place: u32) -> f32 {
  if (MASKED) {
    return maskGradient(unmaskedAt(place), activatedAt(place));
  }
  return unmaskedAt(place);
}

fn inputElement(place: u32) -> f32 {
  @if(HALVES) return unpackHalf(input[place / 2u], place);
  @else return f32(input[place]);
}

// The value at `place`, or 0 outside; likewise of the input.
fn loadGradient(place: u32, inside: bool) -> f32 {
  return select(0.0, gradientAt(select(0u, place, inside)), inside);
}

fn loadInput(place: u32, inside: bool) -> f32 {
  return select(0.0, inputElement(select(0u, place, inside)), inside);
}
