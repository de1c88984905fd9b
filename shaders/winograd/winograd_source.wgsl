// Winograd's transforms of patches, and of tiles' gradients (common/winograd.wgsl): one thread a patch of one channel.
//
//   result[p * channels + c, t] = product p of B^T d B, d the patch of tile t in channel c;
//                                 neighbouring patches overlap by KERNEL - 1
//
// or, with GRADIENTS, of A d A^T, d the tile's EXTENT x EXTENT gradients.
// Some tiles of the batch at a time: a chunk. Those beyond the last tile of the batch are transforms of zeros.
//
// Dispatch: ceil(channels * tiles / 64) workgroups, folded; neighbouring threads take neighbouring tiles.
import package::common::grid::workgroupIndex;
import package::common::padding::paddedSource;
import package::common::source::loadSource;
import package::common::winograd::{tilePlace, transformPatch, transformResultGradient, PATCH};

const THREADS: u32 = 64u;
const EXTENT: u32 = 4u; // @specialize
const GRADIENTS: bool = false; // @specialize

struct Geometry {
  tiles: u32, // of the chunk
  firstTile: u32, // of the chunk, among those of the batch
  batchTiles: u32,
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
  firstWorkgroup: u32,
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
  let index = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup) * THREADS + thread;
  if (index >= geometry.channels * geometry.tiles) {
    return;
  }
  let tile = index % geometry.tiles;
  let channel = index / geometry.tiles;
  let place = tilePlace(geometry.firstTile + tile, geometry.tileGrid, geometry.phases, geometry.dilation);
  let top = i32(place.top) - geometry.padTop;
  let left = i32(place.left) - geometry.padLeft;
  // Rows within this height are read.
  let height = select(0u, geometry.sourceHeight, geometry.firstTile + tile < geometry.batchTiles);
  let base = place.sample * geometry.sourceStrides.x + channel * geometry.sourceStrides.y;
  let rowStride = geometry.sourceWidth * geometry.sourceStrides.z;
  var columns: array<array<f32, 6>, EXTENT>;
  for (var x = 0u; x < EXTENT; x++) { // @unroll
    let w = paddedSource(left + i32(x * geometry.dilation.y), geometry.sourceWidth);
    let column = base + w * geometry.sourceStrides.z;
    var values: array<f32, 6>;
    for (var y = 0u; y < EXTENT; y++) { // @unroll
      let h = paddedSource(top + i32(y * geometry.dilation.x), geometry.sourceHeight);
      values[y] = loadSource(column + h * rowStride, (h < height) & (w < geometry.sourceWidth));
    }
    columns[x] = transform(values);
  }
  let first = channel * geometry.tilePitch + tile;
  let step = geometry.channels * geometry.tilePitch;
  for (var y = 0u; y < PATCH; y++) { // @unroll
    var values: array<f32, 6>;
    for (var x = 0u; x < EXTENT; x++) { // @unroll
      values[x] = columns[x][y];
    }
    let products = transform(values);
    for (var x = 0u; x < PATCH; x++) { // @unroll
      result[first + (y * PATCH + x) * step] = products[x];
    }
  }
}
