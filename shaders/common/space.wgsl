// Positions in a volume [depth, height, width], flattened row by row. Axes that a problem lacks have
// extent 1 and cost nothing here: RANK is known when the shader is compiled.

const RANK: u32 = 3u; // @specialize

fn unflatten(position: u32, size: vec3<u32>) -> vec3<u32> {
  if (RANK == 1u) {
    return vec3<u32>(0u, 0u, position);
  }
  let row = position / size.z;
  let width = position % size.z;
  if (RANK == 2u) {
    return vec3<u32>(0u, row, width);
  }
  return vec3<u32>(row / size.y, row % size.y, width);
}

fn flatten(at: vec3<u32>, size: vec3<u32>) -> u32 {
  return (at.x * size.y + at.y) * size.z + at.z;
}
