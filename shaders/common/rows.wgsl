// Rows along an axis of a tensor: those of `extent` elements, `inner` apart, where `inner` elements lie behind the
// axis. A workgroup of 64 threads has 64 / LANES rows, with LANES threads each. Neighbouring threads are lanes of a row
// or, with ROWS_FIRST, rows: whichever lie together in memory.

const THREADS: u32 = 64u;
const LANES: u32 = 64u; // @specialize
const ROWS: u32 = THREADS / LANES;
const ROWS_FIRST: bool = false; // @specialize

fn laneOf(thread: u32) -> u32 {
  return select(thread % LANES, thread / ROWS, ROWS_FIRST);
}

fn rowInGroupOf(thread: u32) -> u32 {
  return select(thread / LANES, thread % ROWS, ROWS_FIRST);
}

fn rowStart(row: u32, extent: u32, inner: u32) -> u32 {
  return (row / inner) * (extent * inner) + row % inner;
}
