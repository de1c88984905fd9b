// Repair of a weight gradient that its solver writes in one stage: sums that are NaN are made once more without padding
// (common/repaired_weight.wgsl).
//
// An infinite dy makes NaN of a tap that meets padding with it, whatever the input channel: where the first input
// channel is no NaN, the others are not looked at. With EVERY they are: where threads take several columns at a time,
// an infinite input of one channel meets zeros beyond the last output. Winograd's sums mix taps, so that infinities are
// summed once more, too.
// Dispatch: outputChannels * taps workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::repaired_weight::{repairedWeight, Layer};
import package::common::specials::isSpecial;
import package::common::taps::TAPS;

const THREADS: u32 = 64u;

alias Result = f32; // @specialize
const EVERY: bool = false; // @specialize
const INFINITIES: bool = false; // @specialize

struct Geometry {
  tasks: u32, // output channels of all groups * TAPS
  strides: vec3<u32>, // of the result: output channel, input channel, tap
  inputSize: vec3<u32>, // from here on of the layer
  outputSize: vec3<u32>,
  padBegin: vec3<i32>,
  batch: u32,
  outputChannels: u32, // per group, as inputChannels
  inputChannels: u32,
  inputStrides: vec3<u32>, // batch, channel, position; likewise for the output
  outputStrides: vec3<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> result: array<Result>;

var<workgroup> firstChannel: f32;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  let m = task / TAPS;
  let tap = task % TAPS;
  let base = m * geometry.strides.x + tap * geometry.strides.z;
  // All see what the first channel was before its thread writes it.
  if (thread == 0u) {
    firstChannel = f32(result[base]);
  }
  workgroupBarrier();
  if (!EVERY && !isSpecial(firstChannel, false)) {
    return;
  }
  for (var c = thread; c < geometry.inputChannels; c += THREADS) {
    let place = base + c * geometry.strides.y;
    if (isSpecial(f32(result[place]), INFINITIES)) {
      let layer = Layer(
        geometry.inputSize, geometry.outputSize, geometry.padBegin, geometry.batch, geometry.outputChannels,
        geometry.inputChannels, geometry.inputStrides, geometry.outputStrides
      );
      result[place] = Result(repairedWeight(m, c, tap, layer));
    }
  }
}
