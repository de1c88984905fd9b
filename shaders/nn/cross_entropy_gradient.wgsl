// The gradient of a cross-entropy by its logits (nn/cross_entropy.wgsl), from that of the loss:
//
//   dx[c] = (softmax(x)[c] * (sum of q) - q[c]) * dloss        with MEAN divided by the count
//
// dloss is one number or, with PER_ROW, one a row. Each row is read twice, the second time from a cache.
// Dispatch: ceil(rows / (64 / LANES)) workgroups, folded.
import package::common::class_rows::{bothRows, labelOf, Logit, logits, RowSums, sumRow, targetOf};
import package::common::functions::expDown;
import package::common::grid::workgroupIndex;
import package::common::log_sum::isUndefined;
import package::common::rows::{laneOf, LANES, rowInGroupOf, ROWS, rowStart, THREADS};

const PER_ROW: bool = false; // @specialize
const MEAN: bool = false; // @specialize

struct Geometry {
  rows: u32,
  classes: u32,
  inner: u32,
  groups: u32,
  ignored: f32,
  smoothing: f32,
  notANumber: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read> upstream: array<f32>;
@group(0) @binding(5) var<storage, read> count: array<f32>;
@group(0) @binding(6) var<storage, read_write> result: array<Logit>;

var<workgroup> parts: array<RowSums, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (group >= geometry.groups) {
    return;
  }
  let lane = laneOf(thread);
  let rowInGroup = rowInGroupOf(thread);
  let place = lane * ROWS + rowInGroup;
  let row = group * ROWS + rowInGroup;
  let start = rowStart(row, geometry.classes, geometry.inner);
  if (row < geometry.rows) {
    let label = labelOf(row, geometry.classes, geometry.ignored);
    parts[place] = sumRow(start, lane, label, geometry.smoothing, geometry.classes, geometry.inner);
  }
  for (var left = LANES / 2u; left > 0u; left /= 2u) {
    workgroupBarrier();
    if (lane < left) {
      parts[place] = bothRows(parts[place], parts[place + left * ROWS]);
    }
  }
  workgroupBarrier();
  if (row >= geometry.rows) {
    return;
  }
  let sums = parts[rowInGroup];
  let label = labelOf(row, geometry.classes, geometry.ignored);
  let isNothing = label.isWrong | isUndefined(sums.exponents);
  var factor = upstream[select(0u, row, PER_ROW)];
  if (MEAN) {
    factor /= count[0];
  }
  let scale = sums.mass / sums.exponents.sum;
  for (var c = lane; c < geometry.classes; c += LANES) {
    let element = start + c * geometry.inner;
    let q = targetOf(element, c, label, geometry.smoothing, geometry.classes);
    let e = expDown(f32(logits[element]) - sums.exponents.largest);
    let gradient = select((e * scale - q) * factor, geometry.notANumber, isNothing);
    result[element] = Logit(select(gradient, 0.0, label.isIgnored));
  }
}
