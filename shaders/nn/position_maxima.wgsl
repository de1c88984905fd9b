// The largest of the values at all positions, and where it lies: the first of equal ones, the last NaN, which counts as
// largest.
//
//   result[outer, part, inner] = the largest of source[outer, p, inner] over the positions p of the part
//
// Condition LATER: sources are parts, each the largest value and then its place. Condition PARTIAL: so are results, in
// places. Condition SAVES: places has those of the results. They are float32, exact below 2^24.
// Dispatch: ceil(rows / (64 / LANES)) * parts workgroups, folded; a row is one outer and inner.
import package::common::element::Element;
import package::common::functions::isNaN;
import package::common::grid::workgroupIndex;
import package::common::position_range::{LANES, laneStep, rangeOf, THREADS};

struct Geometry {
  rows: u32,
  positions: u32,
  inner: u32,
  parts: u32,
  partPositions: u32,
  lowest: f32, // -infinity
  firstWorkgroup: u32,
}

struct Largest {
  value: f32,
  place: f32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read> sourceParts: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<Element>;
@group(0) @binding(4) var<storage, read_write> places: array<f32>;

const NO_PLACE: f32 = 16777216.0;

var<workgroup> found: array<Largest, THREADS>;

fn sourceAt(element: u32, position: u32) -> Largest {
  @if(LATER) {
    return Largest(sourceParts[2u * element], sourceParts[2u * element + 1u]);
  } @else {
    return Largest(f32(source[element]), f32(position));
  }
}

fn larger(one: Largest, other: Largest) -> Largest {
  if (isNaN(one.value) || isNaN(other.value)) {
    let isOther = isNaN(other.value) && (!isNaN(one.value) || other.place > one.place);
    return Largest(select(one.value, other.value, isOther), select(one.place, other.place, isOther));
  }
  let isOther = other.value > one.value || (other.value == one.value && other.place < one.place);
  return Largest(select(one.value, other.value, isOther), select(one.place, other.place, isOther));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  let positions = geometry.positions;
  let range = rangeOf(group, thread, positions, geometry.inner, geometry.parts, geometry.partPositions);
  var largest = Largest(geometry.lowest, NO_PLACE);
  if (range.row < geometry.rows) {
    for (var p = range.begin; p < range.end; p += LANES) {
      largest = larger(largest, sourceAt(range.base + p * geometry.inner, p));
    }
  }
  found[thread] = largest;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (range.lane < step) {
      found[thread] = larger(found[thread], found[thread + step * laneStep()]);
    }
  }
  if (range.lane == 0u && range.row < geometry.rows) {
    largest = found[thread];
    @if(PARTIAL) {
      places[2u * range.partial] = largest.value;
      places[2u * range.partial + 1u] = largest.place;
    } @else {
      result[range.partial] = Element(largest.value);
    }
    @if(SAVES) {
      places[range.partial] = largest.place;
    }
  }
}
