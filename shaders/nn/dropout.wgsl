// Dropout, and its gradient: what is not dropped, times a scale.
//
//   result[i] = 0 where word[i] < threshold, else scale * source[i]       NaN stays NaN
//
// Word i is the i-th of the stream (draw, step) of a seed: of four words by Philox for each counter (i / 4, 0, draw,
// step). `state` holds seed and step in parts of 16 bits, low ones first: four of the seed, two of the step. Its values
// are copied to `used`, by which a gradient drops the same. Each workgroup makes the words of 256 elements.
// Dispatch: ceil(elements / 256) workgroups, folded.
import package::common::element::Element;
import package::common::functions::isNaN;
import package::common::grid::workgroupIndex;
import package::common::philox::philox;

const THREADS: u32 = 64u;
const WORDS: u32 = 4u * THREADS;
const STATE_VALUES: u32 = 6u;

struct Geometry {
  elements: u32,
  draw: u32,
  threshold: u32,
  scale: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<Element>;
@group(0) @binding(4) var<storage, read_write> used: array<f32>;

var<workgroup> words: array<u32, WORDS>;

fn stateWord(part: u32) -> u32 {
  return u32(state[part]) + (u32(state[part + 1u]) << 16u);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  let counter = vec4<u32>(group * THREADS + thread, 0u, geometry.draw, stateWord(4u));
  let four = philox(counter, vec2<u32>(stateWord(0u), stateWord(2u)));
  for (var i = 0u; i < 4u; i++) {
    words[4u * thread + i] = four[i];
  }
  workgroupBarrier();
  for (var place = thread; place < WORDS; place += THREADS) {
    let element = group * WORDS + place;
    if (element < geometry.elements) {
      let value = f32(source[element]);
      let dropped = select(0.0, value, isNaN(value));
      result[element] = Element(select(geometry.scale * value, dropped, words[place] < geometry.threshold));
    }
  }
  if ((group == 0u) & (thread < STATE_VALUES)) {
    used[thread] = state[thread];
  }
}
