// Second stage of a forward pass or input gradient whose sums were split: adds the partial results
// (common/partials.wgsl), and finishes them.
//
//   result[i] = activation(sum over splits of partials[split][i] + bias[channel of i] + residual[i])
//
// Partials lie as the result does, whatever its layout.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::partials::sumPartials;
import package::common::result::storeResult;

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32, // of the result
  splitK: u32,
  channels: u32,
  channelStride: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let element = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (element >= geometry.elements) {
    return;
  }
  let channel = (element / geometry.channelStride) % geometry.channels;
  storeResult(sumPartials(element, geometry.elements, geometry.splitK), channel, element, 0u);
}
