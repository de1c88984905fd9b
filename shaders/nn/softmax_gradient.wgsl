// The gradient of a softmax along an axis, or with LOG of its logarithm, from its result y and that one's gradient dy:
//
//   dx[c] = y[c] * (dy[c] - sum over k of y[k] * dy[k])       dy[c] - exp(y[c]) * (sum over k of dy[k])
//
// Each row is read twice, the second time from a cache.
// Dispatch: ceil(rows / (64 / LANES)) workgroups, folded.
import package::common::element::Element;
import package::common::functions::{expDown, isNaN};
import package::common::grid::workgroupIndex;
import package::common::rows::{laneOf, LANES, rowInGroupOf, ROWS, rowStart, THREADS};

const LOG: bool = false; // @specialize
// Terms that a thread adds one after the other.
const BLOCK: u32 = 64u;

struct Geometry {
  rows: u32,
  extent: u32,
  inner: u32,
  groups: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> output: array<Element>;
@group(0) @binding(2) var<storage, read> gradient: array<Element>;
@group(0) @binding(3) var<storage, read_write> result: array<Element>;

var<workgroup> parts: array<f32, THREADS>;

// A lane's part of the row's sum.
fn sumLane(start: u32, lane: u32) -> f32 {
  var total = 0.0;
  var i = lane;
  while (i < geometry.extent) {
    let end = min(geometry.extent, i + BLOCK * LANES);
    var sum = 0.0;
    while (i < end) {
      let element = start + i * geometry.inner;
      let dy = f32(gradient[element]);
      if (LOG) {
        sum += dy;
      } else {
        sum = fma(f32(output[element]), dy, sum);
      }
      i += LANES;
    }
    total += sum;
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
      parts[place] += parts[place + left * ROWS];
    }
  }
  workgroupBarrier();
  if (row >= geometry.rows) {
    return;
  }
  let sum = parts[rowInGroup];
  for (var i = lane; i < geometry.extent; i += LANES) {
    let element = start + i * geometry.inner;
    let y = f32(output[element]);
    let dy = f32(gradient[element]);
    if (LOG) {
      result[element] = Element(dy - select(expDown(y), y, isNaN(y)) * sum);
    } else {
      result[element] = Element(y * (dy - sum));
    }
  }
}
