// Input gradient of resizing.
//
//   dx[i] = sum of weight(o, i) * dy[o] over the results o whose corners include i
//
// with the corners and weights of resize.wgsl.
// Layouts: volumes (common/volume.wgsl). Dispatch: ceil(elements / 64) workgroups, folded, elements of dx.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::resize_axis::neighboursOf;
import package::common::volume::{elementAt, placeOf};

const THREADS: u32 = 64u;
const LINEAR: bool = true; // @specialize
// Terms that are summed by themselves, so that a long row is no long chain.
const RUN: u32 = 64u;

struct Geometry {
  inputSize: vec3<u32>, // of dx
  elements: u32,
  outputSize: vec3<u32>, // of dy
  inner: u32,
  step: vec3<i32>,
  shift: vec3<i32>,
  divisor: vec3<i32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> upstream: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

// How many results along an axis lie before `bound`: step * o + shift < bound.
fn resultsBefore(bound: i32, step: i32, shift: i32, results: u32) -> u32 {
  let room = bound - shift;
  return select(0u, min(u32((room - 1) / step) + 1u, results), room > 0);
}

// Results along an axis that read element i: from x to y, without y. What lies beyond the edges reads the edge.
fn readersOf(i: u32, axis: u32) -> vec2<u32> {
  let step = geometry.step[axis];
  let shift = geometry.shift[axis];
  let divisor = geometry.divisor[axis];
  let results = geometry.outputSize[axis];
  var low = i32(i) * divisor;
  if (LINEAR) {
    low = low - divisor + 1;
  }
  let begin = select(resultsBefore(low, step, shift, results), 0u, i == 0u);
  let isLast = i + 1u == geometry.inputSize[axis];
  return vec2<u32>(begin, select(resultsBefore((i32(i) + 1) * divisor, step, shift, results), results, isLast));
}

fn weightOf(o: u32, i: u32, axis: u32) -> f32 {
  if (!LINEAR) {
    return 1.0;
  }
  let size = geometry.inputSize[axis];
  let near = neighboursOf(o, geometry.step[axis], geometry.shift[axis], geometry.divisor[axis], size);
  return select(0.0, 1.0 - near.weight, near.first == i) + select(0.0, near.weight, near.second == i);
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
  let place = placeOf(element, geometry.inputSize, geometry.inner);
  let depth = readersOf(place.at.x, 0u);
  let height = readersOf(place.at.y, 1u);
  let width = readersOf(place.at.z, 2u);
  var sum = 0.0;
  for (var z = depth.x; z < depth.y; z++) {
    var plane = 0.0;
    for (var y = height.x; y < height.y; y++) {
      var row = 0.0;
      for (var begin = width.x; begin < width.y; begin += RUN) {
        var part = 0.0;
        for (var x = begin; x < min(begin + RUN, width.y); x++) {
          let value = f32(upstream[elementAt(place, vec3<u32>(z, y, x), geometry.outputSize, geometry.inner)]);
          part += weightOf(x, place.at.z, 2u) * value;
        }
        row += part;
      }
      plane += weightOf(y, place.at.y, 1u) * row;
    }
    sum += weightOf(z, place.at.x, 0u) * plane;
  }
  result[element] = Element(sum);
}
