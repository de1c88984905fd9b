// Input gradient of average pooling.
//
//   dx[i] = sum of dy[o] / divisor(o) over the windows o that reach over i
//
// with the divisor of average_pool.wgsl.
// Layouts: volumes (common/volume.wgsl). Dispatch: ceil(elements / 64) workgroups, folded, elements of dx.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::pool_divisor::divisorOf;
import package::common::volume::{elementAt, placeOf};
import package::common::windows::{windowOrigin, windowRanges};

const THREADS: u32 = 64u;
// Terms that are summed by themselves, so that a long row is no long chain.
const BLOCK: u32 = 64u;

struct Geometry {
  inputSize: vec3<u32>, // of dx
  elements: u32,
  outputSize: vec3<u32>, // of dy
  inner: u32,
  padBegin: vec3<u32>,
  countedFrom: vec3<i32>,
  countedTo: vec3<i32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> upstream: array<Element>;
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
  let place = placeOf(element, geometry.inputSize, geometry.inner);
  let ranges = windowRanges(place.at + geometry.padBegin, geometry.outputSize);
  var sum = 0.0;
  for (var z = ranges.depth.x; z < ranges.depth.y; z++) {
    var plane = 0.0;
    for (var y = ranges.height.x; y < ranges.height.y; y++) {
      for (var begin = ranges.width.x; begin < ranges.width.y; begin += BLOCK) {
        var part = 0.0;
        for (var x = begin; x < min(begin + BLOCK, ranges.width.y); x++) {
          let window = vec3<u32>(z, y, x);
          let origin = windowOrigin(window, geometry.padBegin);
          let value = f32(upstream[elementAt(place, window, geometry.outputSize, geometry.inner)]);
          part += value / divisorOf(origin, geometry.countedFrom, geometry.countedTo);
        }
        plane += part;
      }
    }
    sum += plane;
  }
  result[element] = Element(sum);
}
