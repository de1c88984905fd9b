// Second stage of a forward pass or input gradient whose sums were split: adds the partial results in the order of their
// splits, so that the same device gives the same bits each time, and finishes them.
//
//   result[i] = activation(sum over splits of partials[split][i] + bias[channel of i] + residual[i])
//
// Partials lie as the result does, whatever its layout.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::epilogue::{activate, prelu, slopeIndex, ACTIVATION, HAS_BIAS, HAS_RESIDUAL, PRELU};
import package::common::grid::workgroupIndex;

const THREADS: u32 = 64u;
const RUN: u32 = 16u;

struct Geometry {
  elements: u32, // of the result
  splits: u32,
  channels: u32,
  channelStride: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<Element>;
@group(0) @binding(3) var<storage, read> residual: array<Element>;
@group(0) @binding(4) var<storage, read_write> result: array<Element>;
@group(0) @binding(5) var<storage, read> slopes: array<Element>;

// Partials are summed in runs, and these in runs of runs, so that as many as there may be take no long chain of sums.
fn sumPartials(element: u32) -> f32 {
  var sum = 0.0;
  var split = 0u;
  while (split < geometry.splits) {
    let endOfRuns = min(geometry.splits, split + RUN * RUN);
    var runs = 0.0;
    while (split < endOfRuns) {
      let endOfRun = min(endOfRuns, split + RUN);
      var run = 0.0;
      while (split < endOfRun) {
        run += partials[split * geometry.elements + element];
        split++;
      }
      runs += run;
    }
    sum += runs;
  }
  return sum;
}

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
  var sum = sumPartials(element);
  if (HAS_BIAS) {
    sum += f32(bias[(element / geometry.channelStride) % geometry.channels]);
  }
  if (HAS_RESIDUAL) {
    sum += f32(residual[element]);
  }
  if (ACTIVATION == PRELU) {
    sum = prelu(sum, f32(slopes[slopeIndex((element / geometry.channelStride) % geometry.channels)]));
  }
  result[element] = Element(activate(sum));
}
