// Pads volumes, or crops them where padding is negative.
//
//   result[o] = source[padded(o - padBegin)]
//
// padded maps what lies beyond the edges into the source (common/padding.wgsl); with zeros, PADDING_MODE 0, it is
// value.
// Layouts: volumes (common/volume.wgsl). Dispatch: ceil(elements / 64) workgroups, folded, elements of the result.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::padding::paddedSource;
import package::common::volume::{elementAt, placeOf};

const THREADS: u32 = 64u;

struct Geometry {
  sourceSize: vec3<u32>,
  elements: u32,
  resultSize: vec3<u32>,
  inner: u32,
  padBegin: vec3<i32>,
  value: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

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
  let at = vec3<i32>(place.at) - geometry.padBegin;
  let origin = vec3<u32>(paddedSource(at.x, size.x), paddedSource(at.y, size.y), paddedSource(at.z, size.z));
  if (all(origin < size)) {
    result[element] = source[elementAt(place, origin, size, geometry.inner)];
  } else {
    result[element] = Element(geometry.value);
  }
}
