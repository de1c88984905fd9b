// Second stage of a weight gradient: adds the partial matrices (common/partials.wgsl).
//
//   result[row, column] = sum over splits of partials[split, row, column]
//
// Columns are (input channel, tap), tap fastest; strides say where they go, so that any weight layout will do.
// With HAS_BIAS the last column goes to `bias` instead. Rows count through all groups.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::epilogue::HAS_BIAS;
import package::common::partials::sumPartials;

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32, // of one partial matrix: rows * columns
  splits: u32,
  columns: u32, // bias column included
  taps: u32,
  strides: vec3<u32>, // of the result: row, input channel, tap
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
  let element = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (element >= geometry.elements) {
    return;
  }
  let sum = sumPartials(element, geometry.elements, geometry.splits);
  let row = element / geometry.columns;
  let column = element % geometry.columns;
  if (HAS_BIAS) {
    if (column == geometry.columns - 1u) {
      bias[row] = Element(sum);
      return;
    }
  }
  let offset = row * geometry.strides.x + (column / geometry.taps) * geometry.strides.y
    + (column % geometry.taps) * geometry.strides.z;
  result[offset] = Element(sum);
}
