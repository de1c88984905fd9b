// Counts what is not a number of a tensor, and finds the largest that is. Each workgroup takes THREADS * TURNS words.
//
//   counts = [infinities, NaNs, bits of the largest finite magnitude]
//
// Values are looked at as bits, for a compiler may take it that there are no infinities and no NaNs. A word holds one
// float32 or, with HALF, two float16, the last of which may lie beyond the tensor.
// Dispatch: ceil(words / (THREADS * TURNS)) workgroups, folded. `counts` starts as zeros.
import package::common::grid::workgroupIndex;

const THREADS: u32 = 64u;
const TURNS: u32 = 16u;
const HALF: bool = false; // @specialize

struct Geometry {
  elements: u32,
  words: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;

var<workgroup> infinities: atomic<u32>;
var<workgroup> nans: atomic<u32>;
var<workgroup> largest: atomic<u32>;

struct Found {
  infinities: u32,
  nans: u32,
  largest: u32,
}

// What was found, and one more magnitude; `infinity` is its type's.
fn addMagnitude(found: Found, magnitude: u32, infinity: u32) -> Found {
  return Found(
    found.infinities + select(0u, 1u, magnitude == infinity),
    found.nans + select(0u, 1u, magnitude > infinity),
    max(found.largest, select(0u, magnitude, magnitude < infinity))
  );
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let first = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS * TURNS + thread;
  var found = Found(0u, 0u, 0u);
  for (var turn = 0u; turn < TURNS; turn++) {
    let word = first + turn * THREADS;
    if (word < geometry.words) {
      let bits = source[word];
      if (HALF) {
        found = addMagnitude(found, bits & 0x7fffu, 0x7c00u);
        if (word * 2u + 1u < geometry.elements) {
          found = addMagnitude(found, (bits >> 16u) & 0x7fffu, 0x7c00u);
        }
      } else {
        found = addMagnitude(found, bits & 0x7fffffffu, 0x7f800000u);
      }
    }
  }
  atomicAdd(&infinities, found.infinities);
  atomicAdd(&nans, found.nans);
  atomicMax(&largest, found.largest);
  workgroupBarrier();
  if (thread == 0u) {
    atomicAdd(&counts[0], atomicLoad(&infinities));
    atomicAdd(&counts[1], atomicLoad(&nans));
    atomicMax(&counts[2], atomicLoad(&largest));
  }
}
