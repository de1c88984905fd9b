// Adds 1 to the step in the state of dropout (nn/dropout.wgsl): its last two values, of 16 bits each.
// Dispatch: one workgroup.

struct Geometry {
  stepPlace: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read_write> state: array<f32>;

@compute @workgroup_size(1)
fn main() {
  let place = geometry.stepPlace;
  let step = u32(state[place]) + (u32(state[place + 1u]) << 16u) + 1u;
  state[place] = f32(step & 0xffffu);
  state[place + 1u] = f32(step >> 16u);
}
