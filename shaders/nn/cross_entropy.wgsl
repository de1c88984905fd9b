// Cross-entropy of logits x and targets q (common/class_rows.wgsl), a loss for each row along the axis of classes:
//
//   loss = sum over c of q[c] * (log(sum over k of exp(x[k])) - x[c])
//
// With PER_ROW `losses` are these. Otherwise rows are summed, and counted by the weights of their labels (of
// distributions by 1): a workgroup writes its pair of sums to `losses`; where there is only one, SINGLE, the loss and
// the count. A row of an ignored label is 0 and does not count, that of a label that is no class is NaN. A logit of
// -infinity makes a loss of infinity where it has a share, and NaN where a distribution has none there: 0 times
// infinity.
// Dispatch: ceil(rows / (64 / LANES) / rounds) workgroups, folded; each does so many rounds of 64 / LANES rows.
import package::common::class_rows::{bothRows, DISTRIBUTION, labelOf, originOf, RowSums, sumRow, weightOf};
import package::common::grid::workgroupIndex;
import package::common::log_sum::{isUndefined, logOfSum};
import package::common::row_pairs::{emptyPairSum, sumOfRows, withPair};
import package::common::rows::{laneOf, LANES, rowInGroupOf, ROWS, rowStart, THREADS};

const PER_ROW: bool = false; // @specialize
const SINGLE: bool = false; // @specialize
const MEAN: bool = false; // @specialize

struct Geometry {
  rows: u32,
  classes: u32,
  inner: u32,
  groups: u32,
  rounds: u32,
  ignored: f32,
  smoothing: f32,
  notANumber: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read_write> count: array<f32>;

var<workgroup> parts: array<RowSums, THREADS>;

// The loss of a row, and what it counts.
fn lossOf(row: u32, sums: RowSums) -> vec2<f32> {
  let label = labelOf(row, geometry.classes, geometry.ignored);
  if (label.isIgnored) {
    return vec2<f32>(0.0);
  }
  if (label.isWrong | isUndefined(sums.exponents)) {
    return vec2<f32>(geometry.notANumber);
  }
  let origin = originOf(rowStart(row, geometry.classes, geometry.inner), label, geometry.inner);
  let logSum = (sums.exponents.largest - origin) + logOfSum(sums.exponents);
  let weight = select(weightOf(label.index), 1.0, DISTRIBUTION);
  return vec2<f32>(sums.mass * logSum - sums.cross, weight);
}

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
  var sum = emptyPairSum();
  for (var round = 0u; round < geometry.rounds; round++) {
    let row = (group * geometry.rounds + round) * ROWS + rowInGroup;
    if (row < geometry.rows) {
      let label = labelOf(row, geometry.classes, geometry.ignored);
      let start = rowStart(row, geometry.classes, geometry.inner);
      parts[place] = sumRow(start, lane, label, geometry.smoothing, geometry.classes, geometry.inner);
    }
    for (var left = LANES / 2u; left > 0u; left /= 2u) {
      workgroupBarrier();
      if (lane < left) {
        parts[place] = bothRows(parts[place], parts[place + left * ROWS]);
      }
    }
    if ((lane == 0u) & (row < geometry.rows)) {
      let loss = lossOf(row, parts[place]);
      if (PER_ROW) {
        losses[row] = loss.x;
      }
      sum = withPair(sum, loss, round);
    }
    workgroupBarrier();
  }
  if (PER_ROW) {
    return;
  }
  let whole = sumOfRows(sum, lane, rowInGroup, thread);
  if (thread != 0u) {
    return;
  }
  if (SINGLE) {
    losses[0] = select(whole.x, whole.x / whole.y, MEAN);
    count[0] = whole.y;
  } else {
    losses[2u * group] = whole.x;
    losses[2u * group + 1u] = whole.y;
  }
}
