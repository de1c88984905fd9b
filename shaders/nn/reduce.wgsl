// Sums of terms, of up to four operands that are broadcast (common/operands.wgsl, common/terms.wgsl):
//
//   result[split, row] = scale * sum over the split's part of j of term(a, b, c, d)
//
// Rows are indices of the KEPT axes that are left, j those of the SUMMED axes. A workgroup has 64 / LANES rows: LANES
// threads sum every LANES-th term of one, then a tree in workgroup memory adds their sums. The order is fixed.
// Neighbouring threads are lanes of a row or, with ROWS_FIRST, rows: whichever lie together in memory. Several splits
// are summed by a second dispatch, so that no thread adds more than some dozens of terms.
// Dispatch: splits x ceil(rows / (64 / LANES)) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::operands::{offsetsAt, operandsAt};
import package::common::terms::termOf;

const THREADS: u32 = 64u;
const LANES: u32 = 64u; // @specialize
const ROWS: u32 = THREADS / LANES;
const ROWS_FIRST: bool = false; // @specialize
const KEPT: u32 = 1u; // @specialize
const SUMMED: u32 = 1u; // @specialize
alias Result = f32; // @specialize

struct Geometry {
  rows: u32,
  groups: u32, // of rows, a workgroup each
  terms: u32, // of a sum
  termsPerSplit: u32,
  tasks: u32, // splits * groups
  scale: f32,
  delta: f32, // of Huber's loss
  numbers: vec4<f32>, // operands that are no tensors
  keptExtents: vec3<u32>,
  keptSteps0: vec4<u32>,
  keptSteps1: vec4<u32>,
  keptSteps2: vec4<u32>,
  keptSteps3: vec4<u32>,
  summedExtents: vec3<u32>,
  summedSteps0: vec4<u32>,
  summedSteps1: vec4<u32>,
  summedSteps2: vec4<u32>,
  summedSteps3: vec4<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(5) var<storage, read_write> result: array<Result>;

var<workgroup> sums: array<f32, THREADS>;

fn rowOffsets(row: u32) -> vec4<u32> {
  return offsetsAt(
    row,
    KEPT,
    geometry.keptExtents,
    geometry.keptSteps0,
    geometry.keptSteps1,
    geometry.keptSteps2,
    geometry.keptSteps3,
  );
}

fn termOffsets(j: u32) -> vec4<u32> {
  return offsetsAt(
    j,
    SUMMED,
    geometry.summedExtents,
    geometry.summedSteps0,
    geometry.summedSteps1,
    geometry.summedSteps2,
    geometry.summedSteps3,
  );
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  let lane = select(thread % LANES, thread / ROWS, ROWS_FIRST);
  let rowInGroup = select(thread / LANES, thread % ROWS, ROWS_FIRST);
  let row = (task % geometry.groups) * ROWS + rowInGroup;
  let split = task / geometry.groups;
  var sum = 0.0;
  if (row < geometry.rows) {
    let base = rowOffsets(row);
    let end = min(geometry.terms, (split + 1u) * geometry.termsPerSplit);
    for (var j = split * geometry.termsPerSplit + lane; j < end; j += LANES) {
      sum += termOf(operandsAt(base + termOffsets(j), geometry.numbers), geometry.delta);
    }
  }
  if (LANES > 1u) {
    // By lanes: those of a row are ROWS apart.
    let place = lane * ROWS + rowInGroup;
    sums[place] = sum;
    for (var left = LANES / 2u; left > 0u; left /= 2u) {
      workgroupBarrier();
      if (lane < left) {
        sums[place] += sums[place + left * ROWS];
      }
    }
    sum = sums[place];
  }
  if (lane == 0u && row < geometry.rows) {
    result[split * geometry.rows + row] = Result(geometry.scale * sum);
  }
}
