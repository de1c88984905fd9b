// Second stage of a split sum: adds the partial matrices in the order of their splits, so that the same
// device gives the same bits each time.
//
//   weight[row, column] = sum over splits of partials[split, row, column]
//
// With HAS_BIAS the last column goes to `bias` instead. Rows count through all groups.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::epilogue::HAS_BIAS;

const THREADS: u32 = 64u;

struct Geometry {
  elements: u32, // of one partial matrix: rows * columns
  splits: u32,
  columns: u32, // bias column included
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;

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
  var sum = 0.0;
  for (var split = 0u; split < geometry.splits; split++) {
    sum += partials[split * geometry.elements + element];
  }
  let row = element / geometry.columns;
  let column = element % geometry.columns;
  if (HAS_BIAS) {
    if (column == geometry.columns - 1u) {
      bias[row] = sum;
    } else {
      weight[row * (geometry.columns - 1u) + column] = sum;
    }
  } else {
    weight[element] = sum;
  }
}
