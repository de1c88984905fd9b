// What a pass that gathers reads: x, or dy of an input gradient, whose relu's derivative is applied on the way.
import package::common::element::Element;
import package::common::epilogue::{maskGradient, MASKED};
import package::common::halves::unpackHalf;
import package::common::pixels::{pixelValue, PIXELS};

// What the source is stored as: words where it is an image.
alias Source = Element; // @specialize

@group(0) @binding(1) var<storage, read> source: array<Source>;
// The relu's output, or a prelu's slopes: an input gradient has the one, what ends in an activation the other.
@group(0) @binding(2) var<storage, read> activated: array<Element>;

fn activatedAt(place: u32) -> f32 {
  @if(HALVES) return unpackHalf(activated[place / 2u], place);
  @else return f32(activated[place]);
}

fn unmaskedAt(place: u32) -> f32 {
  @if(HALVES) return unpackHalf(source[place / 2u], place);
  @else return f32(source[place]);
}

// The value at a place that exists.
fn sourceAt(place: u32) -> f32 {
  if (MASKED) {
    return maskGradient(unmaskedAt(place), activatedAt(place));
  }
  return unmaskedAt(place);
}

// The same of kernels that read images, too (common/pixels.wgsl).
fn sourceOrPixelAt(place: u32, scale: vec4<f32>, shift: vec4<f32>) -> f32 {
  if (PIXELS != 0u) {
    return pixelValue(u32(source[place / 4u]), place, scale, shift);
  }
  return sourceAt(place);
}

// The value at `place`, or 0 outside.
fn loadSource(place: u32, inside: bool) -> f32 {
  return select(0.0, sourceAt(select(0u, place, inside)), inside);
}
