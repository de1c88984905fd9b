// Second stage of a split sum: adds the partial matrices in the order of their splits, so that the same
// device gives the same bits each time.
//
//   result[row, column] = sum over splits of partials[split, row, column]
//
// Columns are (input channel, tap), tap fastest; strides say where they go, so that any weight layout will do.
// With HAS_BIAS the last column goes to `bias` instead. Rows count through all groups.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::epilogue::HAS_BIAS;

const THREADS: u32 = 64u;
const RUN: u32 = 16u;

struct Geometry {
  elements: u32, // of one partial matrix: rows * columns
  splits: u32,
  columns: u32, // bias column included
  taps: u32,
  strides: vec3<u32>, // of the result: row, input channel, tap
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;
@group(0) @binding(3) var<storage, read_write> bias: array<Element>;

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
  let sum = sumPartials(element);
  let row = element / geometry.columns;
  let column = element % geometry.columns;
  if (HAS_BIAS) {
    if (column == geometry.columns - 1u) {
      bias[row] = Element(sum);
      return;
    }
  }
  let offset = row * geometry.strides.x + (column / geometry.taps) * geometry.strides.y + (column % geometry.taps) * geometry.strides.z;
  result[offset] = Element(sum);
}
