// Result positions, phase by phase (common/taps.wgsl): a phase is every STRIDE-th position from an offset on, so that
// all of its positions read the same taps. Forward there is one phase, with every position.
import package::common::space::{flatten, unflatten};
import package::common::taps::{isInside, STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH, TRANSPOSED};

fn phaseCount(phases: vec3<u32>) -> u32 {
  return phases.x * phases.y * phases.z;
}

// The offset along each axis of a phase, by its number modulo the number of phases.
fn phaseOffset(phase: u32, phases: vec3<u32>) -> vec3<u32> {
  if (!TRANSPOSED) {
    return vec3<u32>(0u);
  }
  let row = phase / phases.z;
  return vec3<u32>((row / phases.y) % phases.x, row % phases.y, phase % phases.z);
}

// Position number `index` of a phase. The last ones of an uneven phase may lie outside the result.
fn phasePosition(index: u32, phaseSize: vec3<u32>, offset: vec3<u32>) -> vec3<u32> {
  let at = unflatten(index, phaseSize);
  if (!TRANSPOSED) {
    return at;
  }
  return at * vec3<u32>(STRIDE_DEPTH, STRIDE_HEIGHT, STRIDE_WIDTH) + offset;
}

// Whether there is one phase: then positions are numbered as the result's are.
fn isWhole() -> bool {
  return !TRANSPOSED || (STRIDE_DEPTH == 1u && STRIDE_HEIGHT == 1u && STRIDE_WIDTH == 1u);
}

// The number in the result of position number `index` of a phase.
fn phaseIndex(index: u32, phaseSize: vec3<u32>, offset: vec3<u32>, size: vec3<u32>) -> u32 {
  if (isWhole()) {
    return index;
  }
  return flatten(phasePosition(index, phaseSize, offset), size);
}

// Whether position number `index` of a phase lies in the result.
fn isOfPhase(index: u32, phaseSize: vec3<u32>, offset: vec3<u32>, size: vec3<u32>) -> bool {
  return isWhole() || isInside(phasePosition(index, phaseSize, offset), size);
}
