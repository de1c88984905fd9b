// An activation, or its gradient, on its own: one thread an element.
//
//   result[i] = activation(source[i])                              GRADIENT false
//   result[i] = source[i] * activation'(activated[i])              GRADIENT true
//
// `activated` is what the derivative is computed from; of a prelu `slopes` are read, too
// (shaders/common/epilogue.wgsl).
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::epilogue::{activate, activationDerivative, slopeIndex, ACTIVATION, PRELU};
import package::common::grid::workgroupIndex;
import package::common::result::prelu;

const THREADS: u32 = 64u;
const GRADIENT: bool = false; // @specialize

struct Geometry {
  elements: u32,
  channels: u32,
  channelStride: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read> activated: array<Element>;
@group(0) @binding(3) var<storage, read_write> result: array<Element>;
@group(0) @binding(4) var<storage, read> slopes: array<Element>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let element = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (element >= geometry.elements) {
    return;
  }
  let value = f32(source[element]);
  var slope = 0.0;
  if (ACTIVATION == PRELU) {
    slope = f32(slopes[slopeIndex((element / geometry.channelStride) % geometry.channels)]);
  }
  if (GRADIENT) {
    result[element] = Element(value * activationDerivative(f32(activated[element]), slope));
  } else if (ACTIVATION == PRELU) {
    result[element] = Element(prelu(value, slope));
  } else {
    result[element] = Element(activate(value));
  }
}
