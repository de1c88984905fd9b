// Float32 sums of any length, whose errors hardly grow with it: BLOCK_TERMS terms are summed by themselves, RUN_BLOCKS
// such blocks likewise, as many runs of them, and then what these make (src/solvers/shared/blocks.ts;
// src/reference/bound.ts says what it is worth).

const BLOCK_TERMS: u32 = 256u;
const RUN_BLOCKS: u32 = 64u;

struct LongSum {
  total: f32,
  runs: f32,
  run: f32,
  blocks: u32,
}

// The sum with what one more block makes.
fn withBlock(sum: LongSum, terms: f32) -> LongSum {
  var next = LongSum(sum.total, sum.runs, sum.run + terms, sum.blocks + 1u);
  if (next.blocks % RUN_BLOCKS == 0u) {
    next.runs += next.run;
    next.run = 0.0;
  }
  if (next.blocks % (RUN_BLOCKS * RUN_BLOCKS) == 0u) {
    next.total += next.runs;
    next.runs = 0.0;
  }
  return next;
}

fn totalOf(sum: LongSum) -> f32 {
  return sum.total + (sum.runs + sum.run);
}
