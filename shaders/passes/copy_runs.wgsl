// Copies runs of elements from one tensor to another, where copies of buffers would be too many, or would begin within
// a word: one thread a word of a run in the result.
//
//   result[start.y + i * stride.y + j] = source[start.x + i * stride.x + (j / part) * partStride + j % part]
//
// for i < runs, j < length. HALF: elements are float16, two a word. A word at the end of a run keeps its other half.
// Runs lie apart in the result, so that no two of them write one word.
// Dispatch: ceil(runs * wordsPerRun / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::halves::halfIn;

const THREADS: u32 = 64u;
const HALF: bool = false; // @specialize

struct Geometry {
  runs: u32,
  length: u32,
  wordsPerRun: u32, // the most that a run touches
  part: u32, // elements that lie together in the source
  partStride: u32,
  start: vec2<u32>, // in the source, and in the result
  stride: vec2<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

// Where the element of a run comes from that begins at `start`.
fn originOf(start: u32, element: u32) -> u32 {
  return start + (element / geometry.part) * geometry.partStride + element % geometry.part;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  let run = index / geometry.wordsPerRun;
  let place = index % geometry.wordsPerRun;
  if (run >= geometry.runs) {
    return;
  }
  let start = geometry.start + run * geometry.stride;
  if (HALF) {
    let word = start.y / 2u + place;
    let end = start.y + geometry.length;
    if (2u * word >= end) {
      return;
    }
    var bits = result[word];
    for (var half = 0u; half < 2u; half++) {
      let element = 2u * word + half;
      if (element >= start.y && element < end) {
        let origin = originOf(start.x, element - start.y);
        let shift = 16u * half;
        bits = (bits & ~(0xffffu << shift)) | (halfIn(source[origin / 2u], origin) << shift);
      }
    }
    result[word] = bits;
  } else {
    result[start.y + place] = source[originOf(start.x, place)];
  }
}
