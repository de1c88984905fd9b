// Lays out a tensor for scalar_tile_weight_gradient.wgsl: padded, and with neighbouring channels side by side.
//
//   result[group][tile of channels][sample][position][channel] = tensor[sample][group, channel][position * step - pad]
//
// Float32, whatever the tensor is stored as, and 0 beyond the last channel and position. A gradient is
// masked on the way. A thread takes 16 channels of a position, so that it divides seldom.
// Dispatch: ceil(groups * tiles * blocks * positions / 64) workgroups, folded.
import package::common::grid::workgroupIndex;
import package::common::padding::paddedSource;
import package::common::source::sourceAt;
import package::common::space::{flatten, unflatten, RANK};

const THREADS: u32 = 64u;
// Vectors of four channels that a thread takes.
const BLOCK: u32 = 4u;

struct Geometry {
  threads: u32, // groups * tiles * blocks * positions
  positions: u32, // of all samples, and some that none has
  batch: u32,
  groupTiles: u32, // tiles of a group
  tileVectors: u32,
  blocks: u32, // of a tile: tileVectors / BLOCK, rounded up
  channels: u32, // of a group
  packedSize: vec3<u32>, // of a sample
  size: vec3<u32>, // of the tensor
  step: vec3<u32>,
  padBegin: vec3<i32>,
  strides: vec3<u32>, // of the tensor: batch, channel, position
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>;

// Where the tensor has a position, one axis at a time.
fn placeOf(position: vec3<u32>) -> vec3<u32> {
  let at = vec3<i32>(position * geometry.step) - geometry.padBegin;
  var found = vec3<u32>(0u, 0u, paddedSource(at.z, geometry.size.z));
  if (RANK > 1u) {
    found.y = paddedSource(at.y, geometry.size.y);
  }
  if (RANK > 2u) {
    found.x = paddedSource(at.x, geometry.size.x);
  }
  return found;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (index >= geometry.threads) {
    return;
  }
  let number = index % geometry.positions;
  let blockIndex = index / geometry.positions;
  let tile = blockIndex / geometry.blocks;
  let firstVector = (blockIndex % geometry.blocks) * BLOCK;
  let perSample = geometry.packedSize.x * geometry.packedSize.y * geometry.packedSize.z;
  let sample = number / perSample;
  let position = unflatten(number % perSample, geometry.packedSize);
  let found = placeOf(position);
  let exists = all(geometry.size > found) && geometry.batch > sample;
  let firstChannel = ((tile % geometry.groupTiles) * geometry.tileVectors + firstVector) * 4u;
  let end = select(0u, geometry.channels, exists);
  let place = sample * geometry.strides.x + flatten(found, geometry.size) * geometry.strides.z
    + ((tile / geometry.groupTiles) * geometry.channels + firstChannel) * geometry.strides.y;
  let resultPlace = (tile * geometry.positions + number) * geometry.tileVectors + firstVector;
  for (var v = 0u; v < min(BLOCK, geometry.tileVectors - firstVector); v++) {
    var values: vec4<f32>;
    for (var i = 0u; i < 4u; i++) { // @unroll
      if (firstChannel + v * 4u + i < end) {
        values[i] = sourceAt(place + (v * 4u + i) * geometry.strides.y);
      }
    }
    result[resultPlace + v] = values;
  }
}
