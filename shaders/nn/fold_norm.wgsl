// Batch norm by running statistics folded into the convolution before it, for each of the convolution's out channels:
//
//   factor = gamma / sqrt(variance + eps)
//   result = weight * factor
//   biasResult = (bias - mean) * factor + beta
//
// The out channel of a weight is (in / inPerGroup) * outPerGroup + out, for its indices in and out along its axes:
// a transposed convolution's weight has the out channels of a group, and that is told by the in channel. Of others
// inPerGroup is their number. Dispatch: ceil(elements / 64) workgroups, folded; there are no more out channels than
// elements.
import package::common::element::Element;
import package::common::epilogue::HAS_BIAS;
import package::common::grid::workgroupIndex;
import package::common::normalization::{HAS_WEIGHT, invertedDeviation};

const THREADS: u32 = 64u;
const HAS_BETA: bool = false; // @specialize

struct Geometry {
  elements: u32, // of the weight
  channels: u32, // out channels of the convolution
  inputs: u32, // extents of the weight's axes, and elements between neighbours along them
  inStride: u32,
  outPerGroup: u32,
  outStride: u32,
  inPerGroup: u32,
  eps: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read> bias: array<Element>;
@group(0) @binding(3) var<storage, read> gamma: array<f32>;
@group(0) @binding(4) var<storage, read> beta: array<f32>;
@group(0) @binding(5) var<storage, read> runningMean: array<f32>;
@group(0) @binding(6) var<storage, read> runningVariance: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<Element>;
@group(0) @binding(8) var<storage, read_write> biasResult: array<Element>;

fn factorOf(channel: u32) -> f32 {
  let deviation = invertedDeviation(runningVariance[channel], geometry.eps);
  if (HAS_WEIGHT) {
    return gamma[channel] * deviation;
  }
  return deviation;
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
  let input = (element / geometry.inStride) % geometry.inputs;
  let out = (element / geometry.outStride) % geometry.outPerGroup;
  let channel = (input / geometry.inPerGroup) * geometry.outPerGroup + out;
  result[element] = Element(f32(weight[element]) * factorOf(channel));
  if (element < geometry.channels) {
    var shift = -runningMean[element];
    if (HAS_BIAS) {
      shift += f32(bias[element]);
    }
    var value = shift * factorOf(element);
    if (HAS_BETA) {
      value += beta[element];
    }
    biasResult[element] = Element(value);
  }
}
