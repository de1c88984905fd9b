// Winograd's transform back (common/winograd.wgsl), and the pass' epilogue: one thread a tile of one channel.
//
//   result[n, c, tile t] = activation(A^T m A + bias + residual), m the PATCH x PATCH sums of t in channel c
//
// Dispatch: ceil(channels * tiles / 64) workgroups, folded; neighbouring threads take neighbouring tiles.
import package::common::grid::workgroupIndex;
import package::common::result::storeResult;
import package::common::winograd::{tilePlace, transformResult, PATCH, TILE};

const THREADS: u32 = 64u;

struct Geometry {
  tiles: u32, // of the chunk (winograd_source.wgsl)
  firstTile: u32, // of the chunk, among those of the batch
  tilePitch: u32, // elements from one m of the sums to the next
  tileGrid: vec2<u32>, // rows and columns of a sample's tiles
  phases: vec2<u32>, // the dilation, but no more than there are results along the axis
  dilation: vec2<u32>, // down and across
  channels: u32, // of all groups
  resultHeight: u32,
  resultWidth: u32,
  resultStrides: vec3<u32>, // batch, channel, position
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> sums: array<f32>;

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
  let first = channel * geometry.tilePitch + tile;
  let step = geometry.channels * geometry.tilePitch;
  var columns: array<array<f32, 4>, PATCH>;
  for (var x = 0u; x < PATCH; x++) { // @unroll
    var values: array<f32, 6>;
    for (var y = 0u; y < PATCH; y++) { // @unroll
      values[y] = sums[first + (y * PATCH + x) * step];
    }
    columns[x] = transformResult(values);
  }
  let base = place.sample * geometry.resultStrides.x + channel * geometry.resultStrides.y;
  for (var y = 0u; y < TILE; y++) { // @unroll
    var values: array<f32, 6>;
    for (var x = 0u; x < PATCH; x++) { // @unroll
      values[x] = columns[x][y];
    }
    let results = transformResult(values);
    let h = place.top + y * geometry.dilation.x;
    @if(VECTOR_RESULT) {
      if ((h < geometry.resultHeight) & (place.left < geometry.resultWidth)) {
        let sum = vec4<f32>(results[0], results[1], results[2], results[3]);
        storeResult(sum, channel, (base + h * geometry.resultWidth + place.left) / 4u, 0u);
      }
    } @else {
      // Not unrolled, so that kernels compile sooner: each turn stores the first, and moves the others on.
      var row = vec4<f32>(results[0], results[1], results[2], results[3]);
      for (var x = 0u; x < min(TILE, geometry.resultWidth); x++) {
        let w = place.left + x * geometry.dilation.y;
        if ((h < geometry.resultHeight) & (w < geometry.resultWidth)) {
          storeResult(row.x, channel, base + (h * geometry.resultWidth + w) * geometry.resultStrides.z, 0u);
        }
        row = row.yzwx;
      }
    }
  }
}
