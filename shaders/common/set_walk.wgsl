// How a workgroup walks through the values of sets, to reduce each of them to a sum or to moments.
//
// A tensor is cut into sets by its extents (outer, rows, inner, run): element (((outer * rows) + row) * inner + inner)
// * run + column belongs to set outer * inner + inner, and is its member row * run + column. A workgroup takes LANES
// neighbouring sets, each with REDUCERS threads: RUN of these side by side along a run, then the next set's, so that
// neighbouring threads read neighbouring elements. A split takes some of the members of each set. Tasks: splits x
// ceil(sets / LANES).

const THREADS: u32 = 64u;
const LANES: u32 = 1u; // @specialize
const RUN: u32 = 64u; // @specialize
const REDUCERS: u32 = THREADS / LANES;

struct SetWalk {
  cell: u32, // the set
  split: u32,
  reducer: u32,
  left: u32, // members that this thread has still to visit
  offset: u32, // of the next one
  column: u32,
}

// `counts` are (sets, members of a set, members of a split).
fn startWalk(task: u32, thread: u32, extents: vec4<u32>, counts: vec3<u32>) -> SetWalk {
  let tiles = (counts.x + LANES - 1u) / LANES;
  let split = task / tiles;
  let cell = (task % tiles) * LANES + (thread / RUN) % LANES;
  let reducer = thread % RUN + RUN * (thread / (RUN * LANES));
  let member = split * counts.z + reducer;
  let end = min(counts.y, (split + 1u) * counts.z);
  let row = member / extents.w;
  let column = member % extents.w;
  let place = ((cell / extents.z) * extents.y + row) * extents.z + cell % extents.z;
  let left = select(0u, (end - member + REDUCERS - 1u) / REDUCERS, (cell < counts.x) & (member < end));
  return SetWalk(cell, split, reducer, left, place * extents.w + column, column);
}

// Where a set's first member lies.
fn firstOf(cell: u32, extents: vec4<u32>) -> u32 {
  return ((cell / extents.z) * extents.y * extents.z + cell % extents.z) * extents.w;
}

// The walk at the thread's next member. `left` is for the caller to count.
fn stepWalk(walk: SetWalk, extents: vec4<u32>) -> SetWalk {
  var next = walk;
  let rowLength = extents.z * extents.w;
  next.offset += (REDUCERS / extents.w) * rowLength + REDUCERS % extents.w;
  next.column += REDUCERS % extents.w;
  if (next.column >= extents.w) {
    next.column -= extents.w;
    next.offset += rowLength - extents.w;
  }
  return next;
}
