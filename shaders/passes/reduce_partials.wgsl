// Second stage of a weight gradient: adds the partial results (common/partials.wgsl).
//
//   result[m, n] = sum over splits of partials[split, m, n]
//
// n is (input channel, tap), tap fastest, or (tap, input channel): the host gives what is fastest as a tap. Strides say
// where it goes, so that any weight layout will do. With HAS_BIAS the last n goes to `bias` instead. m counts output
// channels through all groups.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::epilogue::HAS_BIAS;
import package::common::partials::sumPartials;

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32, // of one partial result: M * N
  splitK: u32,
  n: u32, // weights of a filter, and 1 for the bias
  taps: u32,
  strides: vec3<u32>, // of the result: output channel, input channel, tap
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;
@group(0) @binding(3) var<storage, read_write> bias: array<Element>;

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
  let sum = sumPartials(element, geometry.elements, geometry.splitK);
  let m = element / geometry.n;
  let n = element % geometry.n;
  if (HAS_BIAS) {
    if (n == geometry.n - 1u) {
      bias[m] = Element(sum);
      return;
    }
  }
  let offset = m * geometry.strides.x + (n / geometry.taps) * geometry.strides.y
    + (n % geometry.taps) * geometry.strides.z;
  result[offset] = Element(sum);
}
