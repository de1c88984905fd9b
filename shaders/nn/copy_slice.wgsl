// Copies runs of neighbouring elements from one tensor into another: slices into a whole, or out of it.
//
//   result[o * resultStep + resultOffset + i] = source[o * sourceStep + sourceOffset + i]
//
// for i below run and o below the number of runs; with FILL a value in place of the source. The rest of the result
// stays as it is.
// Dispatch: ceil(elements / 64) workgroups, folded, for elements = runs * run.
import package::common::element::Element;
import package::common::grid::workgroupIndex;

const THREADS: u32 = 64u;
const FILL: bool = false; // @specialize

struct Geometry {
  elements: u32,
  run: u32,
  sourceStep: u32,
  sourceOffset: u32,
  resultStep: u32,
  resultOffset: u32,
  value: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

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
  let outer = element / geometry.run;
  let inner = element % geometry.run;
  let place = outer * geometry.resultStep + geometry.resultOffset + inner;
  if (FILL) {
    result[place] = Element(geometry.value);
  } else {
    result[place] = source[outer * geometry.sourceStep + geometry.sourceOffset + inner];
  }
}
