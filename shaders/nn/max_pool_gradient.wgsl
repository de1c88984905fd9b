// Input gradient of max pooling, where the forward pass saved which tap each window took (max_pool.wgsl).
//
//   dx[i] = sum of dy[o] over the windows o that reach over i and took the tap that lies there
//
// Layouts: volumes (common/volume.wgsl). Dispatch: ceil(elements / 64) workgroups, folded, elements of dx.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::volume::{elementAt, placeOf};
import package::common::windows::{
  DILATION_DEPTH, DILATION_HEIGHT, DILATION_WIDTH, KERNEL_HEIGHT, KERNEL_WIDTH,
  STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH, windowRanges
};

const THREADS: u32 = 64u;
const TAPS_PER_WORD: u32 = 4u; // @specialize

struct Geometry {
  inputSize: vec3<u32>, // of dx
  elements: u32,
  outputSize: vec3<u32>, // of dy
  inner: u32,
  padBegin: vec3<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> upstream: array<Element>;
@group(0) @binding(2) var<storage, read> taps: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<Element>;

fn tapTaken(window: u32) -> u32 {
  let bits = 24u / TAPS_PER_WORD;
  return (u32(taps[window / TAPS_PER_WORD]) >> (window % TAPS_PER_WORD * bits)) & ((1u << bits) - 1u);
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
  let padded = place.at + geometry.padBegin;
  let ranges = windowRanges(padded, geometry.outputSize);
  var sum = 0.0;
  for (var z = ranges.depth.x; z < ranges.depth.y; z++) {
    let inDepth = padded.x - z * STRIDE_DEPTH;
    for (var y = ranges.height.x; y < ranges.height.y; y++) {
      let inHeight = padded.y - y * STRIDE_HEIGHT;
      var row = 0.0;
      for (var x = ranges.width.x; x < ranges.width.y; x++) {
        let inWidth = padded.z - x * STRIDE_WIDTH;
        let meets = inDepth % DILATION_DEPTH + inHeight % DILATION_HEIGHT + inWidth % DILATION_WIDTH == 0u;
        let plane = inDepth / DILATION_DEPTH * KERNEL_HEIGHT + inHeight / DILATION_HEIGHT;
        let tap = plane * KERNEL_WIDTH + inWidth / DILATION_WIDTH;
        let window = elementAt(place, vec3<u32>(z, y, x), geometry.outputSize, geometry.inner);
        if (meets && tapTaken(window) == tap) {
          row += f32(upstream[window]);
        }
      }
      sum += row;
    }
  }
  result[element] = Element(sum);
}
