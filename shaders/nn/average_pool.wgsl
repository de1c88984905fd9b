// Average pooling.
//
//   result[o] = (sum of source[o * stride - padBegin + tap] over the taps inside of the source) / divisor(o)
//
// where divisor(o) is DIVISOR, or, where that is 0, the number of the window's positions from countedFrom to countedTo:
// those of the source, with or without its padding.
// Layouts: volumes (common/volume.wgsl). Dispatch: ceil(elements / 64) workgroups, folded, elements of the result.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::pool_divisor::divisorOf;
import package::common::volume::{elementAt, placeOf};
import package::common::windows::{isWithin, KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH, tapPosition, windowOrigin};

const THREADS: u32 = 64u;
// Terms that are summed by themselves, so that a long row is no long chain.
const BLOCK: u32 = 64u;

struct Geometry {
  sourceSize: vec3<u32>,
  elements: u32,
  resultSize: vec3<u32>,
  inner: u32,
  padBegin: vec3<u32>,
  countedFrom: vec3<i32>,
  countedTo: vec3<i32>,
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
  let origin = windowOrigin(place.at, geometry.padBegin);
  var sum = 0.0;
  for (var td = 0u; td < KERNEL_DEPTH; td++) {
    var plane = 0.0;
    for (var th = 0u; th < KERNEL_HEIGHT; th++) {
      for (var begin = 0u; begin < KERNEL_WIDTH; begin += BLOCK) {
        var part = 0.0;
        for (var tw = begin; tw < min(begin + BLOCK, KERNEL_WIDTH); tw++) {
          let position = tapPosition(origin, vec3<u32>(td, th, tw));
          if (isWithin(position, geometry.sourceSize)) {
            part += f32(source[elementAt(place, vec3<u32>(position), geometry.sourceSize, geometry.inner)]);
          }
        }
        plane += part;
      }
    }
    sum += plane;
  }
  result[element] = Element(sum / divisorOf(origin, geometry.countedFrom, geometry.countedTo));
}
