// Filters that do at once what filters do after each position was repeated `factor` times along an axis: the transposed
// ones, of which those of a repeated position are summed.
//
//   enlarged[i, o, a] = sum over taps t with 0 <= a - (kernel - 1 - t) * dilation < factor of filters[o, i, t]
//
// a of the enlarged filter, along each axis. Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::space::unflatten;

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32, // of the result
  inChannels: u32, // of a group
  outChannels: u32, // of a group
  kernel: vec3<u32>,
  dilation: vec3<u32>,
  factor: vec3<u32>,
  enlarged: vec3<u32>, // extents of a filter
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> filters: array<Element>;
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
  let size = geometry.enlarged.x * geometry.enlarged.y * geometry.enlarged.z;
  let at = unflatten(element % size, geometry.enlarged);
  let channel = element / size / geometry.outChannels;
  let row = channel / geometry.inChannels * geometry.outChannels + element / size % geometry.outChannels;
  let plane = row * geometry.inChannels + channel % geometry.inChannels;
  let taps = geometry.kernel.x * geometry.kernel.y * geometry.kernel.z;
  var sum = 0.0;
  for (var i = 0u; i < taps; i++) {
    let begin = (geometry.kernel - 1u - unflatten(i, geometry.kernel)) * geometry.dilation;
    // Elements before the tap's wrap around, and lie beyond them.
    if (all(at - begin < geometry.factor)) {
      sum += f32(filters[plane * taps + i]);
    }
  }
  result[element] = Element(sum);
}
