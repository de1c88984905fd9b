// Resizes volumes: nearest or linear interpolation along each axis.
//
//   result[o] = sum over the corners around p(o) of weight * source[corner],   p(o) = (step * o + shift) / divisor
//
// LINEAR: corners are two neighbours an axis (resize_axis.wgsl); else one, p(o) rounded down.
// Layouts: volumes (common/volume.wgsl). Dispatch: ceil(elements / 64) workgroups, folded, elements of the result.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::resize_axis::{Neighbours, neighboursOf};
import package::common::space::RANK;
import package::common::volume::{elementAt, Place, placeOf};

const THREADS: u32 = 64u;
const LINEAR: bool = true; // @specialize

struct Geometry {
  sourceSize: vec3<u32>,
  elements: u32,
  resultSize: vec3<u32>,
  inner: u32,
  step: vec3<i32>,
  shift: vec3<i32>,
  divisor: vec3<i32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

fn valueAt(place: Place, at: vec3<u32>) -> f32 {
  return f32(source[elementAt(place, at, geometry.sourceSize, geometry.inner)]);
}

fn between(first: f32, second: f32, weight: f32) -> f32 {
  return select((1.0 - weight) * first + weight * second, first, weight == 0.0);
}

fn inRow(place: Place, z: u32, y: u32, x: Neighbours) -> f32 {
  let first = valueAt(place, vec3<u32>(z, y, x.first));
  return between(first, valueAt(place, vec3<u32>(z, y, x.second)), x.weight);
}

fn inPlane(place: Place, z: u32, y: Neighbours, x: Neighbours) -> f32 {
  let first = inRow(place, z, y.first, x);
  if (RANK == 1u) {
    return first;
  }
  return between(first, inRow(place, z, y.second, x), y.weight);
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
  let place = placeOf(element, geometry.resultSize, geometry.inner);
  let size = geometry.sourceSize;
  let z = neighboursOf(place.at.x, geometry.step.x, geometry.shift.x, geometry.divisor.x, size.x);
  let y = neighboursOf(place.at.y, geometry.step.y, geometry.shift.y, geometry.divisor.y, size.y);
  let x = neighboursOf(place.at.z, geometry.step.z, geometry.shift.z, geometry.divisor.z, size.z);
  if (LINEAR) {
    var value = inPlane(place, z.first, y, x);
    if (RANK == 3u) {
      value = between(value, inPlane(place, z.second, y, x), z.weight);
    }
    result[element] = Element(value);
  } else {
    result[element] = Element(valueAt(place, vec3<u32>(z.first, y.first, x.first)));
  }
}
