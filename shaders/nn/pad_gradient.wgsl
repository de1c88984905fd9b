// Input gradient of padding.
//
//   dx[i] = sum of dy[o] over the results o that pad.wgsl copies from i
//
// Along an axis these are i itself, moved by padBegin; replicated, at an edge, all beyond it; reflected, symmetric or
// circular, up to two more: the one before the source and the one behind it.
// Layouts: volumes (common/volume.wgsl). Dispatch: ceil(elements / 64) workgroups, folded, elements of dx.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::padding::{
  PADDING_CIRCULAR, PADDING_MODE, PADDING_REFLECT, PADDING_REPLICATE, PADDING_SYMMETRIC
};
import package::common::volume::{elementAt, placeOf};

const THREADS: u32 = 64u;

struct Geometry {
  inputSize: vec3<u32>, // of dx
  elements: u32,
  outputSize: vec3<u32>, // of dy
  inner: u32,
  padBegin: vec3<i32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> upstream: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

// Where an element lies that is replicated beyond the edges: from x to y, without y.
fn replicasOf(i: i32, axis: u32) -> vec2<i32> {
  let begin = geometry.padBegin[axis];
  let size = i32(geometry.inputSize[axis]);
  let results = i32(geometry.outputSize[axis]);
  let first = select(begin + i, min(begin, 0), i == 0);
  let end = select(begin + i + 1, max(results, begin + size), i == size - 1);
  return vec2<i32>(max(first, 0), min(end, results));
}

// How many copies of element i an axis has, at most.
fn copiesOf(i: i32, axis: u32) -> i32 {
  if (PADDING_MODE == 0u) {
    return 1;
  }
  if (PADDING_MODE == PADDING_REPLICATE) {
    let replicas = replicasOf(i, axis);
    return replicas.y - replicas.x;
  }
  return 3;
}

// Copy number `copy` of element i along an axis, or -1.
fn copyOf(i: i32, axis: u32, copy: i32) -> i32 {
  if (PADDING_MODE == PADDING_REPLICATE) {
    return replicasOf(i, axis).x + copy;
  }
  let size = i32(geometry.inputSize[axis]);
  var moved = i;
  if (copy > 0) {
    if (PADDING_MODE == PADDING_CIRCULAR) {
      moved = select(i + size, i - size, copy == 1);
    } else {
      // Mirrored about the edge element, which is not its own copy; or about the edge.
      let repeats = select(0, 1, PADDING_MODE == PADDING_SYMMETRIC);
      moved = select(2 * (size - 1) + repeats - i, -repeats - i, copy == 1);
      if (PADDING_MODE == PADDING_REFLECT && moved == i) {
        return -1;
      }
    }
  }
  let at = geometry.padBegin[axis] + moved;
  return select(-1, at, at >= 0 && at < i32(geometry.outputSize[axis]));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let element = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (element >= geometry.elements) {
    return;
  }
  let place = placeOf(element, geometry.inputSize, geometry.inner);
  let i = vec3<i32>(place.at);
  var sum = 0.0;
  for (var copyZ = 0; copyZ < copiesOf(i.x, 0u); copyZ++) {
    let z = copyOf(i.x, 0u, copyZ);
    if (z < 0) {
      continue;
    }
    var plane = 0.0;
    for (var copyY = 0; copyY < copiesOf(i.y, 1u); copyY++) {
      let y = copyOf(i.y, 1u, copyY);
      if (y < 0) {
        continue;
      }
      var row = 0.0;
      for (var copyX = 0; copyX < copiesOf(i.z, 2u); copyX++) {
        let x = copyOf(i.z, 2u, copyX);
        if (x >= 0) {
          row += f32(upstream[elementAt(place, vec3<u32>(vec3<i32>(z, y, x)), geometry.outputSize, geometry.inner)]);
        }
      }
      plane += row;
    }
    sum += plane;
  }
  result[element] = Element(sum);
}
