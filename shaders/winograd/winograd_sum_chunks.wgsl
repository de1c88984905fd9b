// Adds what a chunk of tiles (winograd_source.wgsl) makes of the sums for filters' gradients, in parts
// (common/partials.wgsl), to what earlier chunks made.
//
//   sums[element] = (later ? sums[element] : 0) + sum over splits of partials[split, element]
//
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::partials::sumPartials;

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32, // of one partial result
  splitK: u32,
  later: u32, // 0: this is the first chunk
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

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
  var earlier = 0.0;
  if (geometry.later != 0u) {
    earlier = sums[element];
  }
  sums[element] = earlier + sumPartials(element, geometry.elements, geometry.splitK);
}
