// Softmax along an axis, or with LOG its logarithm:
//
//   y[c] = exp(x[c] - largest) / sum over k of exp(x[k] - largest)        x[c] - largest - log(sum)
//
// Each row is read twice, the second time from a cache.
// Dispatch: ceil(rows / (64 / LANES)) workgroups, folded.
import package::common::element::Element;
import package::common::functions::expDown;
import package::common::grid::workgroupIndex;
import package::common::log_sum::{bothLogSums, emptyLogSum, isUndefined, logOfSum, LogSum, withExponent};
import package::common::rows::{laneOf, LANES, rowInGroupOf, ROWS, rowStart, THREADS};

const LOG: bool = false; // @specialize
// Terms that a thread adds one after the other.
const BLOCK: u32 = 64u;

struct Geometry {
  rows: u32,
  extent: u32,
  inner: u32,
  groups: u32,
  notANumber: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

var<workgroup> parts: array<LogSum, THREADS>;

// A lane's part of the row.
fn sumLane(start: u32, lane: u32) -> LogSum {
  var total = emptyLogSum();
  var i = lane;
  while (i < geometry.extent) {
    let end = min(geometry.extent, i + BLOCK * LANES);
    var sums = emptyLogSum();
    while (i < end) {
      sums = withExponent(sums, f32(source[start + i * geometry.inner]));
      i += LANES;
    }
    total = bothLogSums(total, sums);
  }
  return total;
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
  let row = group * ROWS + rowInGroup;
  let start = rowStart(row, geometry.extent, geometry.inner);
  if (row < geometry.rows) {
    parts[place] = sumLane(start, lane);
  }
  for (var left = LANES / 2u; left > 0u; left /= 2u) {
    workgroupBarrier();
    if (lane < left) {
      parts[place] = bothLogSums(parts[place], parts[place + left * ROWS]);
    }
  }
  workgroupBarrier();
  if (row >= geometry.rows) {
    return;
  }
  let sums = parts[rowInGroup];
  let isNothing = isUndefined(sums);
  let logSum = logOfSum(sums);
  for (var i = lane; i < geometry.extent; i += LANES) {
    let element = start + i * geometry.inner;
    let x = f32(source[element]) - sums.largest;
    let value = select(expDown(x) / sums.sum, x - logSum, LOG);
    result[element] = Element(select(value, geometry.notANumber, isNothing));
  }
}
