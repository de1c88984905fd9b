// Max pooling.
//
//   result[o] = the largest of source[o * stride - padBegin + dilation * tap] over the taps inside of the source
//
// NaN counts as largest; without a tap inside it is -infinity. Condition SAVES: taps holds the number of the tap that
// was taken, the first of equal ones, the last that is NaN; TAPS_PER_WORD of them in a float32, as the integer that
// their bits make, the first lowest: integers below 2^24 are exact.
// Layouts: volumes (common/volume.wgsl). Dispatch: ceil(elements / 64) workgroups, folded, elements of the result.
import package::common::element::Element;
import package::common::functions::isNaN;
import package::common::grid::workgroupIndex;
import package::common::volume::{elementAt, placeOf};
import package::common::windows::{isWithin, KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH, tapPosition, windowOrigin};

const THREADS: u32 = 64u;
const TAPS_PER_WORD: u32 = 4u; // @specialize
// A window without a tap inside; no tap of the kernel has this number.
const NO_TAP: u32 = 0xffffffu;

struct Geometry {
  sourceSize: vec3<u32>,
  elements: u32,
  resultSize: vec3<u32>,
  inner: u32,
  padBegin: vec3<u32>,
  lowest: f32, // -infinity
  firstWorkgroup: u32,
}

struct Largest {
  value: f32,
  tap: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;
@group(0) @binding(3) var<storage, read_write> taps: array<f32>;

var<workgroup> taken: array<u32, THREADS>;

fn largestOf(element: u32) -> Largest {
  let place = placeOf(element, geometry.resultSize, geometry.inner);
  let origin = windowOrigin(place.at, geometry.padBegin);
  var largest = Largest(geometry.lowest, NO_TAP);
  var hasNaN = false;
  var tap = 0u;
  for (var td = 0u; td < KERNEL_DEPTH; td++) {
    for (var th = 0u; th < KERNEL_HEIGHT; th++) {
      for (var tw = 0u; tw < KERNEL_WIDTH; tw++) {
        let position = tapPosition(origin, vec3<u32>(td, th, tw));
        if (isWithin(position, geometry.sourceSize)) {
          let value = f32(source[elementAt(place, vec3<u32>(position), geometry.sourceSize, geometry.inner)]);
          let wins = isNaN(value);
          if (wins || (!hasNaN && (largest.tap == NO_TAP || value > largest.value))) {
            largest = Largest(value, tap);
          }
          hasNaN = hasNaN || wins;
        }
        tap++;
      }
    }
  }
  return largest;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let first = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS;
  let element = first + thread;
  var largest = Largest(0.0, 0u);
  if (element < geometry.elements) {
    largest = largestOf(element);
    result[element] = Element(largest.value);
  }
  @if(SAVES) {
    let bits = 24u / TAPS_PER_WORD;
    taken[thread] = largest.tap & ((1u << bits) - 1u);
    workgroupBarrier();
    let own = thread * TAPS_PER_WORD;
    if (own < THREADS && first + own < geometry.elements) {
      var word = 0u;
      for (var i = 0u; i < TAPS_PER_WORD; i++) {
        word |= taken[own + i] << (i * bits);
      }
      taps[first / TAPS_PER_WORD + thread] = f32(word);
    }
  }
}
