// Spreads a value for each row, a channel of a sample, over its positions.
//
//   result[outer, p, inner] = source[outer, inner] / divisor
//
// Condition ONE_PLACE: at the position places[outer, inner] alone; zero elsewhere.
// Dispatch: ceil(elements / 64) workgroups, folded, elements of the result.
import package::common::element::Element;
import package::common::grid::workgroupIndex;

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32,
  positions: u32,
  inner: u32,
  divisor: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read> places: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<Element>;

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
  let place = element / geometry.inner;
  let row = place / geometry.positions * geometry.inner + element % geometry.inner;
  @if(ONE_PLACE) {
    let isThere = u32(places[row]) == place % geometry.positions;
    result[element] = select(Element(0.0), source[row], isThere);
  } @else {
    result[element] = Element(f32(source[row]) / geometry.divisor);
  }
}
