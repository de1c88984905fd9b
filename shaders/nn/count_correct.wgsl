// How many rows have their largest logit at the label's class: the first of equal ones, or the first NaN.
//
//   right = count of rows with argmax over c of x[c] = label        counted = those of labels that are not ignored
//
// A workgroup writes its pair of counts to `pairs`. A label that is no class is never right.
// Dispatch: ceil(rows / (64 / LANES) / rounds) workgroups, folded; each does so many rounds of 64 / LANES rows.
import package::common::functions::isNaN;
import package::common::grid::workgroupIndex;
import package::common::row_pairs::{emptyPairSum, sumOfRows, withPair};
import package::common::rows::{laneOf, LANES, rowInGroupOf, ROWS, rowStart, THREADS};

alias Logit = f32; // @specialize
alias Label = f32; // @specialize

struct Geometry {
  rows: u32,
  classes: u32,
  inner: u32,
  groups: u32,
  rounds: u32,
  ignored: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> logits: array<Logit>;
@group(0) @binding(2) var<storage, read> labels: array<Label>;
@group(0) @binding(3) var<storage, read_write> pairs: array<f32>;

struct Largest {
  value: f32,
  index: u32,
}

var<workgroup> parts: array<Largest, THREADS>;

fn isBefore(a: Largest, b: Largest) -> bool {
  if (isNaN(a.value) | isNaN(b.value)) {
    return isNaN(a.value) & (!isNaN(b.value) | (a.index < b.index));
  }
  return (a.value > b.value) | ((a.value == b.value) & (a.index < b.index));
}

fn largestOf(start: u32, lane: u32) -> Largest {
  // A lane without logits has the first one.
  var best = Largest(f32(logits[start]), 0u);
  for (var i = lane; i < geometry.classes; i += LANES) {
    let other = Largest(f32(logits[start + i * geometry.inner]), i);
    if (isBefore(other, best)) {
      best = other;
    }
  }
  return best;
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
  var count = emptyPairSum();
  for (var round = 0u; round < geometry.rounds; round++) {
    let row = (group * geometry.rounds + round) * ROWS + rowInGroup;
    if (row < geometry.rows) {
      parts[place] = largestOf(rowStart(row, geometry.classes, geometry.inner), lane);
    }
    for (var left = LANES / 2u; left > 0u; left /= 2u) {
      workgroupBarrier();
      if (lane < left) {
        let other = parts[place + left * ROWS];
        if (isBefore(other, parts[place])) {
          parts[place] = other;
        }
      }
    }
    if ((lane == 0u) & (row < geometry.rows)) {
      let label = f32(labels[row]);
      let isRight = label == f32(parts[place].index);
      let pair = select(vec2<f32>(select(0.0, 1.0, isRight), 1.0), vec2<f32>(0.0), label == geometry.ignored);
      count = withPair(count, pair, round);
    }
    workgroupBarrier();
  }
  let counts = sumOfRows(count, lane, rowInGroup, thread);
  if (thread == 0u) {
    pairs[2u * group] = counts.x;
    pairs[2u * group + 1u] = counts.y;
  }
}
