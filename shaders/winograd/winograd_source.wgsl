// Winograd's transforms of patches, and of tiles' gradients (common/winograd.wgsl): one thread a patch of one channel.
//
//   result[p * channels + c, t] = product p of B^T d B, d the patch of tile t in channel c;
//                                 neighbouring patches overlap by KERNEL - 1
//
// or, with GRADIENTS, of A d A^T, d the tile's EXTENT x EXTENT gradients.
// Dispatch: ceil(channels * tiles / 64) workgroups, folded; neighbouring threads take neighbouring tiles.
import package::common::grid::workgroupIndex;
import package::common::padding::paddedSource;
import package::common::source::loadSource;
import package::common::winograd::{tilePlace, transformPatch, transformResultGradient, PATCH};

const THREADS: u32 = 64u;
const EXTENT: u32 = 4u; // @specialize
const GRADIENTS: bool = false; // @specialize

struct Geometry {
  tiles: u32, // of all samples
  tilePitch: u32, // elements from one k of the product to the next
  tileGrid: vec2<u32>, // rows and columns of a sample's tiles
  phases: vec2<u32>, // the dilation, but no more than there are results along the axis
  dilation: vec2<u32>, // down and across
  channels: u32, // of all groups
  sourceHeight: u32,
  sourceWidth: u32,
  padTop: i32,
  padLeft: i32,
  sourceStrides: vec3<u32>, // batch, channel, position
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

fn transform(values: array<f32, 6>) -> array<f32, 6> {
  if (GRADIENTS) {
    return transformResultGradient(values);
  }
  return transformPatch(values);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = workgroupIndex(workgroupId, grid) * THREADS + thread;
  if (index >= geometry.channels * geometry.tiles) {
    return;
  }
  let tile = index % geometry.tiles;
  let channel = index / geometry.tiles;
  let place = tilePlace(tile, geometry.tileGrid, geometry.phases, geometry.dilation);
  let top = i32(place.top) - geometry.padTop;
  let left = i32(place.left) - geometry.padLeft;
  let base = place.sample * geometry.sourceStrides.x + channel * geometry.sourceStrides.y;
  var columns: array<array<f32, 6>, EXTENT>;
  for (var x = 0u; x < EXTENT; x++) { // @unroll
    let w = paddedSource(left + i32(x * geometry.dilation.y), geometry.sourceWidth);
    var values: array<f32, 6>;
    for (var y = 0u; y < EXTENT; y++) { // @unroll
      let h = paddedSource(top + i32(y * geometry.dilation.x), geometry.sourceHeight);
      let inside = (h < geometry.sourceHeight) & (w < geometry.sourceWidth);
      values[y] = loadSource(base + (h * geometry.sourceWidth + w) * geometry.sourceStrides.z, inside);
    }
    columns[x] = transform(values);
  }
  for (var y = 0u; y < PATCH; y++) { // @unroll
    var values: array<f32, 6>;
    for (var x = 0u; x < EXTENT; x++) { // @unroll
      values[x] = columns[x][y];
    }
    let products = transform(values);
    for (var x = 0u; x < PATCH; x++) { // @unroll
      result[((y * PATCH + x) * geometry.channels + channel) * geometry.tilePitch + tile] = products[x];
    }
  }
}
