// Dispatches that go through several tensors, one after the other, in whole workgroups.

// How many of four tensors end before a workgroup. `ends` has the workgroup behind the last one of each.
fn endedBefore(group: u32, ends: vec4<u32>) -> u32 {
  let ended = vec4<u32>(ends <= vec4<u32>(group));
  return ended.x + ended.y + ended.z + ended.w;
}

// The first workgroup of one of four tensors.
fn beginOf(slot: u32, ends: vec4<u32>) -> u32 {
  return select(ends[max(slot, 1u) - 1u], 0u, slot == 0u);
}
