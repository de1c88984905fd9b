// One-dimensional work on a grid whose dimensions are limited (65,535 workgroups each): the host folds
// the count into rows of `grid.x` workgroups, and the surplus of the last row returns at once.
// Long work goes in parts, each a dispatch of its own: `first` is the workgroup that a part begins with.

fn workgroupIndex(id: vec3<u32>, grid: vec3<u32>, first: u32) -> u32 {
  return first + id.y * grid.x + id.x;
}
