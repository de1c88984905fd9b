// An image (common/pixels.wgsl) as a tensor, for kernels that do not read pixels themselves: one thread a pixel.
//
//   result[n, c, p] = normalised channel c of pixel p of image n
//
// Dispatch: ceil(pixels / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::pixels::pixelValue;

const THREADS: u32 = 64u;

struct Geometry {
  pixels: u32, // of all images
  positions: u32, // of one
  channels: u32,
  resultStrides: vec3<u32>, // batch, channel, position
  pixelScale: vec4<f32>,
  pixelShift: vec4<f32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let pixel = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (pixel >= geometry.pixels) {
    return;
  }
  let base = (pixel / geometry.positions) * geometry.resultStrides.x
    + (pixel % geometry.positions) * geometry.resultStrides.z;
  for (var channel = 0u; channel < geometry.channels; channel++) {
    let value = pixelValue(source[pixel], channel, geometry.pixelScale, geometry.pixelShift);
    result[base + channel * geometry.resultStrides.y] = Element(value);
  }
}
