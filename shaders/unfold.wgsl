// Lays out the sources of a convolution for vector_tile.wgsl: those of four neighbouring results in a vector.
//
//   result[sample][channel][phase][visit][vector][i] = what result position 4 * vector + i of the phase meets at the visit
//
// Zero where it meets nothing; nothing is written for visits that a phase skips. Visits and phases: common/taps.wgsl.
// Dispatch: ceil(vectors / 64) workgroups, folded; neighbouring threads take neighbouring vectors.
import package::common::element::Element;
import package::common::epilogue::{maskGradient, MASKED};
import package::common::grid::workgroupIndex;
import package::common::phases::{phaseOffset, phasePosition};
import package::common::pixels::{pixelValue, PIXELS, Source};
import package::common::space::flatten;
import package::common::taps::{firstTap, gatherAt, gatherOrigin, isInside, isTap, tapOf, visitAt, VISITS};

const THREADS: u32 = 64u;

struct Geometry {
  sourceSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  gridSize: vec3<u32>, // positions of a phase along each axis
  gridPositions: u32, // of one sample and phase
  rowVectors: u32, // that these take: ceil(gridPositions / 4)
  phaseCount: u32,
  channels: u32, // of all groups
  vectors: u32, // batch * channels * phaseCount * VISITS * rowVectors
  sourceStrides: vec3<u32>, // batch, channel, position
  pixelScale: vec4<f32>, // of an image
  pixelShift: vec4<f32>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Source>;
@group(0) @binding(2) var<storage, read> activated: array<Element>;
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>;

fn loadSource(offset: u32, inside: bool) -> f32 {
  let place = select(0u, offset, inside);
  if (PIXELS != 0u) {
    let value = pixelValue(u32(source[place / 4u]), place, geometry.pixelScale, geometry.pixelShift);
    return select(0.0, value, inside);
  }
  if (MASKED) {
    return select(0.0, maskGradient(f32(source[place]), f32(activated[place])), inside);
  }
  return select(0.0, f32(source[place]), inside);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (index >= geometry.vectors) {
    return;
  }
  let firstPosition = 4u * (index % geometry.rowVectors);
  let row = index / geometry.rowVectors;
  let visit = visitAt(row % VISITS);
  let outer = row / VISITS;
  let offset = phaseOffset(outer % geometry.phaseCount, geometry.phases);
  let plane = outer / geometry.phaseCount;
  let first = firstTap(offset, geometry.padBegin);
  if (!isTap(tapOf(first, visit))) {
    return;
  }
  let base = (plane / geometry.channels) * geometry.sourceStrides.x + (plane % geometry.channels) * geometry.sourceStrides.y;
  var values: vec4<f32>;
  for (var i = 0u; i < 4u; i++) { // @unroll
    let position = phasePosition(firstPosition + i, geometry.gridSize, offset);
    let origin = gatherOrigin(vec3<i32>(position), geometry.padBegin, first);
    let at = gatherAt(origin, visit, geometry.sourceSize);
    let inside = isInside(at, geometry.sourceSize) & (firstPosition + i < geometry.gridPositions);
    values[i] = loadSource(base + flatten(at, geometry.sourceSize) * geometry.sourceStrides.z, inside);
  }
  result[index] = values;
}
