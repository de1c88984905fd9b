// Second stage of a forward pass or input gradient whose sums were split: adds the partial results
// (common/partials.wgsl), and finishes them.
//
//   result[i] = activation(sum over splits of partials[split][i] + bias[channel of i] + residual[i])
//
// Partials lie as the result does, whatever its layout.
// Condition PACKED: a thread finishes two results, a word of float16.
// Dispatch: ceil(elements / 64) workgroups, or half as many, folded.
import package::common::grid::workgroupIndex;
import package::common::halves::packPair;
import package::common::partials::sumPartials;
import package::common::result::{finishSum, result, storeResult};

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32, // of the result
  splitK: u32,
  channels: u32,
  channelStride: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;

fn channelOf(element: u32) -> u32 {
  return (element / geometry.channelStride) % geometry.channels;
}

fn finished(element: u32) -> f32 {
  let sum = sumPartials(element, geometry.elements, geometry.splitK);
  return finishSum(sum, channelOf(element), element);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  @if(PACKED) {
    let element = 2u * index;
    if (element >= geometry.elements) {
      return;
    }
    var second = 0.0;
    if (element + 1u < geometry.elements) {
      second = finished(element + 1u);
    }
    result[index] = packPair(finished(element), second);
  } @else {
    if (index >= geometry.elements) {
      return;
    }
    storeResult(sumPartials(index, geometry.elements, geometry.splitK), channelOf(index), index, 0u);
  }
}
