// Reductions over the positions of volumes (volume.wgsl): which positions of which row a thread takes. A row is a
// channel of a sample; a workgroup has several, each with LANES threads, and one part of their positions.
import package::common::volume::CHANNELS_LAST;

const THREADS: u32 = 64u;
const LANES: u32 = 64u; // @specialize
const ROWS: u32 = THREADS / LANES;

struct PositionRange {
  row: u32,
  lane: u32,
  partial: u32, // where the part's result lies
  base: u32, // of the row's first position
  begin: u32,
  end: u32,
}

// Neighbouring threads read neighbouring elements: positions of a row, or rows where channels are last.
fn rangeOf(group: u32, thread: u32, positions: u32, inner: u32, parts: u32, partPositions: u32) -> PositionRange {
  let part = group % parts;
  let row = group / parts * ROWS + select(thread / LANES, thread % ROWS, CHANNELS_LAST);
  let lane = select(thread % LANES, thread / ROWS, CHANNELS_LAST);
  let outer = row / inner;
  let begin = part * partPositions;
  return PositionRange(
    row,
    lane,
    (outer * parts + part) * inner + row % inner,
    outer * positions * inner + row % inner,
    begin + lane,
    min(begin + partPositions, positions)
  );
}

// From a thread to the one of the same row that is one lane further.
fn laneStep() -> u32 {
  return select(1u, ROWS, CHANNELS_LAST);
}
