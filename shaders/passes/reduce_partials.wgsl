// Second stage of a weight gradient: adds the partial results (common/partials.wgsl).
//
//   result[m, n] = sum over splits of partials[split, m, n]
//
// n is (input channel, tap), tap fastest, or (tap, input channel): the host gives what is fastest as a tap. Strides say
// where it goes, so that any weight layout will do. With HAS_BIAS the last n goes to `bias` instead. m counts output
// channels through all groups. Condition REPAIRS: sums that are NaN are made once more without padding.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::epilogue::HAS_BIAS;
import package::common::partials::sumPartials;
import package::common::repaired_weight::{repairedWeight, Layer};
import package::common::specials::isSpecial;

alias Result = f32; // @specialize
// n is (tap, input channel).
const CHANNEL_FASTEST: bool = false; // @specialize

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32, // of one partial result: M * N
  splitK: u32,
  n: u32, // weights of a filter, and 1 for the bias
  taps: u32,
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
@group(0) @binding(5) var<storage, read_write> bias: array<Result>;

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
  var sum = sumPartials(element, geometry.elements, geometry.splitK);
  let m = element / geometry.n;
  let n = element % geometry.n;
  if (HAS_BIAS) {
    if (n == geometry.n - 1u) {
      bias[m] = Result(sum);
      return;
    }
  }
  let slow = n / geometry.taps;
  let fast = n % geometry.taps;
  @if(REPAIRS) {
    // A loop of one turn, which nearly never is taken: devices that run both sides of a branch leave it out.
    for (var turns = select(0u, 1u, isSpecial(sum, false)); turns > 0u; turns--) {
      let layer = Layer(
        geometry.inputSize, geometry.outputSize, geometry.padBegin, geometry.batch, geometry.outputChannels,
        geometry.inputChannels, geometry.inputStrides, geometry.outputStrides
      );
      sum = repairedWeight(m, select(slow, fast, CHANNEL_FASTEST), select(fast, slow, CHANNEL_FASTEST), layer);
    }
  }
  let offset = m * geometry.strides.x + slow * geometry.strides.y + fast * geometry.strides.z;
  result[offset] = Result(sum);
}
