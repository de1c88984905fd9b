// Lays out the sources of a convolution for vector_tile.wgsl: those of four neighbouring results in a vector.
//
//   result[sample][channel][phase][visit][vector][i] = what result position 4 * vector + i of the phase meets
//                                                      at the visit
//
// Zero where it meets nothing; nothing is written for visits that a phase skips. Visits and phases: common/taps.wgsl. A
// thread lays out one vector for all visits of a row of taps. Where its four results lie in one line, it loads what
// they meet once (condition ON_LINE): each next result begins RESULT_STEP further, each next visit SOURCE_STEP_WIDTH.
// Dispatch: ceil(batch * channels * phases * visitRows * rowVectors / 64) workgroups, folded; neighbouring threads take
// neighbouring vectors.
import package::common::grid::workgroupIndex;
import package::common::phases::{phaseOffset, phasePosition};
import package::common::padding::paddedSource;
import package::common::source::sourceOrPixelAt;
import package::common::space::flatten;
import package::common::taps::{
  firstTap, gatherAt, gatherOrigin, isInside, isTap, tapOf, visitAt, SOURCE_STEP_WIDTH, TRANSPOSED, VISITS, VISITS_WIDTH
};

const RESULT_STEP: u32 = 1u; // @specialize

const THREADS: u32 = 64u;
const VISIT_ROWS: u32 = VISITS / VISITS_WIDTH;
const SPAN: u32 = 3u * RESULT_STEP + (VISITS_WIDTH - 1u) * SOURCE_STEP_WIDTH + 1u;

struct Geometry {
  sourceSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  gridSize: vec3<u32>, // positions of a phase along each axis
  gridPositions: u32, // of one sample and phase
  rowVectors: u32, // that these take: ceil(gridPositions / 4)
  phaseCount: u32,
  channels: u32, // of all groups
  threads: u32, // batch * channels * phaseCount * VISIT_ROWS * rowVectors
  sourceStrides: vec3<u32>, // batch, channel, position
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
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
  let index = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (index >= geometry.threads) {
    return;
  }
  let vector = index % geometry.rowVectors;
  let row = index / geometry.rowVectors;
  let firstVisit = (row % VISIT_ROWS) * VISITS_WIDTH;
  let outer = row / VISIT_ROWS;
  let offset = phaseOffset(outer % geometry.phaseCount, geometry.phases);
  let plane = outer / geometry.phaseCount;
  let first = firstTap(offset, geometry.padBegin);
  let base = (plane / geometry.channels) * geometry.sourceStrides.x
    + (plane % geometry.channels) * geometry.sourceStrides.y;
  let place = row * VISITS_WIDTH * geometry.rowVectors + vector;
  var origins: array<vec3<i32>, 4>;
  for (var i = 0u; i < 4u; i++) { // @unroll
    let position = phasePosition(4u * vector + i, geometry.gridSize, offset);
    origins[i] = gatherOrigin(vec3<i32>(position), geometry.padBegin, first);
  }
  @if(ON_LINE) {
    let line = gatherAt(origins[0], visitAt(firstVisit), geometry.sourceSize);
    let left = origins[0].z - select(0, i32((VISITS_WIDTH - 1u) * SOURCE_STEP_WIDTH), TRANSPOSED);
    var sources: array<f32, SPAN>;
    for (var x = 0u; x < SPAN; x++) { // @unroll
      let at = vec3<u32>(line.xy, paddedSource(left + i32(x), geometry.sourceSize.z));
      sources[x] = sourceIn(base, at, true);
    }
    for (var v = 0u; v < VISITS_WIDTH; v++) { // @unroll
      let visit = select(v, VISITS_WIDTH - 1u - v, TRANSPOSED);
      if (isTap(tapOf(first, visitAt(firstVisit + visit)))) {
        result[place + visit * geometry.rowVectors] = vec4<f32>(
          sources[v * SOURCE_STEP_WIDTH],
          sources[v * SOURCE_STEP_WIDTH + RESULT_STEP],
          sources[v * SOURCE_STEP_WIDTH + 2u * RESULT_STEP],
          sources[v * SOURCE_STEP_WIDTH + 3u * RESULT_STEP]
        );
      }
    }
  } @else {
    for (var v = 0u; v < VISITS_WIDTH; v++) {
      let visit = visitAt(firstVisit + v);
      if (!isTap(tapOf(first, visit))) {
        continue;
      }
      var values: vec4<f32>;
      for (var i = 0u; i < 4u; i++) { // @unroll
        let at = gatherAt(origins[i], visit, geometry.sourceSize);
        values[i] = sourceIn(base, at, 4u * vector + i < geometry.gridPositions);
      }
      result[place + v * geometry.rowVectors] = values;
    }
  }
}
