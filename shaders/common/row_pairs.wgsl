// Sums of pairs of numbers, one pair a row, by a workgroup that does its rows in rounds (common/rows.wgsl). Rounds are
// summed in runs, and these in runs of runs, so that however many there are make no long chain of additions.
import package::common::rows::{ROWS, THREADS};

const RUN: u32 = 32u;

struct PairSum {
  total: vec2<f32>,
  runs: vec2<f32>,
  run: vec2<f32>,
}

var<workgroup> pairsOfRows: array<vec2<f32>, THREADS>;

fn emptyPairSum() -> PairSum {
  return PairSum(vec2<f32>(0.0), vec2<f32>(0.0), vec2<f32>(0.0));
}

// The sum with the pair of a round.
fn withPair(before: PairSum, pair: vec2<f32>, round: u32) -> PairSum {
  var sum = before;
  sum.run += pair;
  if ((round + 1u) % RUN == 0u) {
    sum.runs += sum.run;
    sum.run = vec2<f32>(0.0);
  }
  if ((round + 1u) % (RUN * RUN) == 0u) {
    sum.total += sum.runs;
    sum.runs = vec2<f32>(0.0);
  }
  return sum;
}

// The sum of what the lanes 0 of all rows have, for thread 0. To be called by all threads.
fn sumOfRows(sum: PairSum, lane: u32, rowInGroup: u32, thread: u32) -> vec2<f32> {
  if (lane == 0u) {
    pairsOfRows[rowInGroup] = sum.total + (sum.runs + sum.run);
  }
  for (var left = ROWS / 2u; left > 0u; left /= 2u) {
    workgroupBarrier();
    if (thread < left) {
      pairsOfRows[thread] += pairsOfRows[thread + left];
    }
  }
  return pairsOfRows[0];
}
