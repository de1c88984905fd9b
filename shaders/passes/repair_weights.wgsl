// Repair of a weight gradient that its solver writes in one stage: sums that are NaN are made once more without padding
// (common/repaired_weight.wgsl).
//
// An infinite dy makes NaN of a tap that meets padding with it, whatever the input channel: of an output channel and a
// tap the first input channel is looked at, and the others where it is NaN. On condition EVERY all are: where threads
// take several columns at a time, an infinite input of one channel meets zeros beyond the last output. Winograd's sums
// mix taps, so that infinities are summed once more, too.
//
// Nearly always there is nothing to repair, so looking is what must be cheap: workgroups look at many sums each.
// Dispatch: tasks / share workgroups, folded; with EVERY tasks / (THREADS * share).
import package::common::grid::workgroupIndex;
import package::common::repaired_weight::{repairedWeight, Layer};
import package::common::specials::isSpecial;
import package::common::taps::TAPS;

const THREADS: u32 = 64u;

alias Result = f32; // @specialize
const INFINITIES: bool = false; // @specialize

struct Geometry {
  tasks: u32, // elements of the result with EVERY, else output channels of all groups * TAPS
  share: u32, // tasks of a thread with EVERY; else of a workgroup, at most THREADS
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

var<workgroup> isBroken: array<u32, THREADS>;

// Of an output channel and a tap: its first input channel's.
fn placeOf(task: u32) -> u32 {
  return task / TAPS * geometry.strides.x + task % TAPS * geometry.strides.z;
}

fn repair(place: u32, m: u32, c: u32, tap: u32) {
  if (isSpecial(f32(result[place]), INFINITIES)) {
    let layer = Layer(
      geometry.inputSize, geometry.outputSize, geometry.padBegin, geometry.batch, geometry.outputChannels,
      geometry.inputChannels, geometry.inputStrides, geometry.outputStrides
    );
    result[place] = Result(repairedWeight(m, c, tap, layer));
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  @if(EVERY) {
    // In the order of memory: neighbouring threads look at neighbours. What repairs is in a loop that nearly never has
    // a turn: devices that run both sides of a branch would do all of it for each sum.
    let first = group * THREADS * geometry.share + thread;
    let count = select((geometry.tasks - first + THREADS - 1u) / THREADS, 0u, first >= geometry.tasks);
    let end = min(geometry.share, count);
    var broken = end;
    for (var i = end; i > 0u; i--) {
      broken = select(broken, i - 1u, isSpecial(f32(result[first + (i - 1u) * THREADS]), INFINITIES));
    }
    for (var i = broken; i < end; i++) {
      let place = first + i * THREADS;
      let m = place / geometry.strides.x % (geometry.tasks / (geometry.inputChannels * TAPS));
      repair(place, m, place / geometry.strides.y % geometry.inputChannels, place / geometry.strides.z % TAPS);
    }
  }
  @else {
    let begin = group * geometry.share;
    if (begin >= geometry.tasks) {
      return;
    }
    let count = min(geometry.share, geometry.tasks - begin);
    // All threads see what first channels were before any of them is written.
    if (thread < count) {
      isBroken[thread] = u32(isSpecial(f32(result[placeOf(begin + thread)]), false));
    }
    workgroupBarrier();
    for (var i = 0u; i < count; i++) {
      if (isBroken[i] != 0u) {
        let task = begin + i;
        for (var c = thread; c < geometry.inputChannels; c += THREADS) {
          repair(placeOf(task) + c * geometry.strides.y, task / TAPS, c, task % TAPS);
        }
      }
    }
  }
}
