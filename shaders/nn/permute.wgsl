// Puts the axes of a tensor in another order.
//
//   result[i5, i4, i3, i2, i1, i0] = source[i0 * strides.x + i1 * strides.y + ... + i5 * outerStrides.y]
//
// Axes are the result's, the innermost first; of AXES of them. Neighbours that stay neighbours are one axis.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;

const THREADS: u32 = 64u;
const AXES: u32 = 6u; // @specialize

struct Geometry {
  extents: vec4<u32>,
  strides: vec4<u32>,
  outerExtents: vec2<u32>,
  outerStrides: vec2<u32>,
  elements: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

fn strideOf(axis: u32) -> u32 {
  if (axis < 4u) {
    return geometry.strides[axis];
  }
  return geometry.outerStrides[axis - 4u];
}

fn extentOf(axis: u32) -> u32 {
  if (axis < 4u) {
    return geometry.extents[axis];
  }
  return geometry.outerExtents[axis - 4u];
}

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
  var rest = element;
  var place = 0u;
  for (var axis = 0u; axis < AXES - 1u; axis++) {
    let extent = extentOf(axis);
    place += rest % extent * strideOf(axis);
    rest /= extent;
  }
  result[element] = source[place + rest * strideOf(AXES - 1u)];
}
