// A term of each element, of up to four operands that are broadcast (common/operands.wgsl, common/terms.wgsl):
//
//   result[i] = activation(scale * term(a, b, c, d))
//
// i runs over AXES axes, innermost first.
// Dispatch: ceil(elements / 64) workgroups, folded.
import package::common::epilogue::activate;
import package::common::grid::workgroupIndex;
import package::common::operands::{offsetsAt, operandsAt};
import package::common::terms::termOf;

const THREADS: u32 = 64u;
const AXES: u32 = 1u; // @specialize
alias Result = f32; // @specialize

struct Geometry {
  elements: u32,
  scale: f32,
  delta: f32, // of Huber's loss
  numbers: vec4<f32>, // operands that are no tensors
  extents: vec3<u32>,
  steps0: vec4<u32>,
  steps1: vec4<u32>,
  steps2: vec4<u32>,
  steps3: vec4<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(5) var<storage, read_write> result: array<Result>;

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
  let offsets = offsetsAt(
    element,
    AXES,
    geometry.extents,
    geometry.steps0,
    geometry.steps1,
    geometry.steps2,
    geometry.steps3,
  );
  let value = geometry.scale * termOf(operandsAt(offsets, geometry.numbers), geometry.delta);
  result[element] = Result(activate(value));
}
