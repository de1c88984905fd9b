// Draws a plane of a tensor, or three of them as red, green and blue, over the whole viewport, nearest value by pixel.
//
//   shade = (value - low) / (high - low), clamped to [0, 1]
//
// With DIVERGING the middle of the range is white, what is above grows red and what is below blue.
// Dispatch: a triangle that covers the viewport. The tensor comes as words, whatever its values are stored as.
import package::common::pixels::{pixelValue, PIXELS};

const HALF: bool = false; // @specialize
const DIVERGING: bool = false; // @specialize

struct Geometry {
  size: vec2<u32>, // of the plane: width, height
  corner: vec2<u32>, // of the viewport in the target, in pixels
  viewport: vec2<u32>,
  elements: vec4<u32>, // first elements of the red, green and blue plane; elements between neighbours
  range: vec2<f32>, // low, 1 / (high - low)
  pixelScale: vec4<f32>,
  pixelShift: vec4<f32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<u32>;

fn valueAt(element: u32) -> f32 {
  if (PIXELS != 0u) {
    return pixelValue(source[element / 4u], element, geometry.pixelScale, geometry.pixelShift);
  }
  if (HALF) {
    return unpack2x16float(source[element / 2u])[element % 2u];
  }
  return bitcast<f32>(source[element]);
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
  return vec4<f32>(f32(index % 2u) * 4.0 - 1.0, f32(index / 2u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn paint(@builtin(position) place: vec4<f32>) -> @location(0) vec4<f32> {
  let pixel = vec2<u32>(place.xy) - geometry.corner;
  let at = min(pixel * geometry.size / geometry.viewport, geometry.size - vec2<u32>(1u));
  let offset = (at.y * geometry.size.x + at.x) * geometry.elements.w;
  let red = valueAt(geometry.elements.x + offset);
  let green = valueAt(geometry.elements.y + offset);
  let blue = valueAt(geometry.elements.z + offset);
  let scaled = (vec3<f32>(red, green, blue) - geometry.range.x) * geometry.range.y;
  let shades = clamp(scaled, vec3<f32>(0.0), vec3<f32>(1.0));
  if (DIVERGING) {
    let signed = shades.x * 2.0 - 1.0;
    return vec4<f32>(1.0 - max(-signed, 0.0), 1.0 - abs(signed), 1.0 - max(signed, 0.0), 1.0);
  }
  return vec4<f32>(shades, 1.0);
}
