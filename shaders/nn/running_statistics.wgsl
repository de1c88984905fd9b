// Running statistics in the form of those of a batch: statistics[channel] = (mean, 1 / sqrt(variance + eps)).
// Dispatch: ceil(channels / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::normalization::invertedDeviation;

const THREADS: u32 = 64u;

struct Geometry {
  channels: u32,
  eps: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> runningMean: array<f32>;
@group(0) @binding(2) var<storage, read> runningVariance: array<f32>;
@group(0) @binding(3) var<storage, read_write> statistics: array<vec2<f32>>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let channel = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (channel < geometry.channels) {
    let deviation = invertedDeviation(runningVariance[channel], geometry.eps);
    statistics[channel] = vec2<f32>(runningMean[channel], deviation);
  }
}
