// Copy bandwidth: result = source, a vector a thread.
//
// Dispatch: exactly as many threads as vectors, folded into a two-dimensional grid.
// Bytes: 2 * 16 * vectors, one read and one write.

@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (workgroup.y * grid.x + workgroup.x) * 64u + thread;
  result[i] = source[i];
}
