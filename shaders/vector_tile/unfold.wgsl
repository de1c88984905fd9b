// Lays out the sources of a convolution for vector_tile.wgsl (im2col): those of four neighbouring results in a vector.
//
//   result[sample][channel][phase][tap][vector][i] = what the tap reads for position 4 * vector + i of the phase
//
// Outside the source it is zero. Nothing is written for taps that a phase lacks. Phases and their taps:
// common/taps.wgsl. A thread lays out one vector for all taps of a row. Where its four results lie in one row, it loads
// what they read once (condition IN_ONE_ROW): each next result begins RESULT_STEP further, each next tap
// SOURCE_STEP_WIDTH.
// Dispatch: ceil(batch * channels * phases * PHASE_TAP_ROWS * sampleVectors / 64) workgroups, folded. Neighbouring
// threads take neighbouring vectors.
import package::common::grid::workgroupIndex;
import package::common::phases::{phaseOffset, phasePosition};
import package::common::padding::paddedSource;
import package::common::source::sourceOrPixelAt;
import package::common::space::flatten;
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, phaseTapAt, tapOf,
  PHASE_TAPS, PHASE_TAPS_WIDTH, SOURCE_STEP_WIDTH, TRANSPOSED
};

const RESULT_STEP: u32 = 1u; // @specialize

const THREADS: u32 = 64u;
const PHASE_TAP_ROWS: u32 = PHASE_TAPS / PHASE_TAPS_WIDTH;
const SPAN: u32 = 3u * RESULT_STEP + (PHASE_TAPS_WIDTH - 1u) * SOURCE_STEP_WIDTH + 1u;

struct Geometry {
  sourceSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  phaseSize: vec3<u32>, // positions of a phase along each axis
  phasePositions: u32, // of one sample and phase
  sampleVectors: u32, // ceil(phasePositions / 4)
  phaseCount: u32,
  channels: u32, // of all groups
  threads: u32, // batch * channels * phaseCount * PHASE_TAP_ROWS * sampleVectors
  sourceStrides: vec3<u32>, // batch, channel, position
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>;

fn sourceIn(base: u32, at: vec3<u32>, exists: bool) -> f32 {
  let inside = isInside(at, geometry.sourceSize) & exists;
  let place = select(0u, base + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z, inside);
  return select(0.0, sourceOrPixelAt(place, geometry.pixelScale, geometry.pixelShift), inside);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (index >= geometry.threads) {
    return;
  }
  let vector = index % geometry.sampleVectors;
  let tapRow = index / geometry.sampleVectors;
  let firstPhaseTap = (tapRow % PHASE_TAP_ROWS) * PHASE_TAPS_WIDTH;
  let outer = tapRow / PHASE_TAP_ROWS;
  let offset = phaseOffset(outer % geometry.phaseCount, geometry.phases);
  let plane = outer / geometry.phaseCount;
  let first = firstTap(offset, geometry.padBegin);
  let base = (plane / geometry.channels) * geometry.sourceStrides.x
    + (plane % geometry.channels) * geometry.sourceStrides.y;
  let place = tapRow * PHASE_TAPS_WIDTH * geometry.sampleVectors + vector;
  var origins: array<vec3<i32>, 4>;
  for (var i = 0u; i < 4u; i++) { // @unroll
    let position = phasePosition(4u * vector + i, geometry.phaseSize, offset);
    origins[i] = gatherOrigin(vec3<i32>(position), geometry.padBegin, first);
  }
  @if(IN_ONE_ROW) {
    let sourceRow = gatherAt(origins[0], phaseTapAt(firstPhaseTap), geometry.sourceSize);
    let left = origins[0].z - select(0, i32((PHASE_TAPS_WIDTH - 1u) * SOURCE_STEP_WIDTH), TRANSPOSED);
    var sources: array<f32, SPAN>;
    for (var x = 0u; x < SPAN; x++) { // @unroll
      let at = vec3<u32>(sourceRow.xy, paddedSource(left + i32(x), geometry.sourceSize.z));
      sources[x] = sourceIn(base, at, true);
    }
    for (var v = 0u; v < PHASE_TAPS_WIDTH; v++) { // @unroll
      let phaseTap = select(v, PHASE_TAPS_WIDTH - 1u - v, TRANSPOSED);
      if (isTap(tapOf(first, phaseTapAt(firstPhaseTap + phaseTap)))) {
        result[place + phaseTap * geometry.sampleVectors] = vec4<f32>(
          sources[v * SOURCE_STEP_WIDTH],
          sources[v * SOURCE_STEP_WIDTH + RESULT_STEP],
          sources[v * SOURCE_STEP_WIDTH + 2u * RESULT_STEP],
          sources[v * SOURCE_STEP_WIDTH + 3u * RESULT_STEP]
        );
      }
    }
  } @else {
    for (var v = 0u; v < PHASE_TAPS_WIDTH; v++) {
      let phaseTap = phaseTapAt(firstPhaseTap + v);
      if (!isTap(tapOf(first, phaseTap))) {
        continue;
      }
      var values: vec4<f32>;
      for (var i = 0u; i < 4u; i++) { // @unroll
        let at = gatherAt(origins[i], phaseTap, geometry.sourceSize);
        values[i] = sourceIn(base, at, 4u * vector + i < geometry.phasePositions);
      }
      result[place + v * geometry.sampleVectors] = values;
    }
  }
}
