// Winograd's F(2x2, 3x3) in one kernel (common/winograd.wgsl): transformed patches and the sums of their products stay
// in workgroup memory and registers.
//
//   result[n, m, tile t] = activation(A^T [ sum over c of filter[m, c] * (B^T d[c, t] B) ] A + bias + residual)
//
//   m: result channel of a group; c: source channel; d: the patch of t; filters are transformed (winograd_filter.wgsl),
//   with the result channels of a tile side by side, and zeros beyond the last channel of either kind
//
// A workgroup computes TILE_M result channels of TILE_N tiles. 16 threads share each of the 16 products of a patch, in
// M_PER_THREAD x (4 * VECTORS_PER_THREAD) sums each. SLICE source channels of both factors are in workgroup memory at a
// time. While they are multiplied, a thread loads a patch of one channel of the next slice, which it then transforms.
// At the end of a block sums change hands, a few channels at a time: a thread then has all products of a tile, and
// transforms them back.
//
// Dispatch: ceil(tiles / TILE_N) x groups x tilesM workgroups, folded; those of the same tiles are neighbours.
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::padding::paddedSource;
import package::common::result::{earlierSum, keepSum, storeResult, Sum};
import package::common::source::sourceAt;
import package::common::winograd::{tilePlace, transformPatch, transformResult, PATCH, TILE, TilePlace};

const SLICE: u32 = 4u; // @specialize
// The last slice has fewer channels.
const RAGGED: bool = false; // @specialize
// Condition BLOCKED: there are more channels than a block has terms. The result holds the sums of those before.

const THREADS: u32 = 256u;
const PRODUCTS: u32 = 16u;
const SHARING: u32 = THREADS / PRODUCTS; // threads of a product, ALONG along M and along N
const ALONG: u32 = 4u;
const M_PER_THREAD: u32 = 8u;
const VECTORS_PER_THREAD: u32 = 2u;
const TILE_M: u32 = ALONG * M_PER_THREAD;
const TILE_N: u32 = TILE_N_VECTORS * 4u;
const TILE_M_VECTORS: u32 = TILE_M / 4u;
const TILE_N_VECTORS: u32 = ALONG * VECTORS_PER_THREAD;
const SUMS: u32 = M_PER_THREAD * VECTORS_PER_THREAD;
const UNROLL: u32 = 4u;
const BLOCK_SLICES: u32 = BLOCK_TERMS / SLICE;
// More than there are. Loops with a constant bound need no guard counters.
const MOST_BLOCKS: u32 = 0x1000000u;

// Of a slice: patches, for as many threads, and vectors of filters.
const PATCHES: u32 = SLICE * TILE_N;
const FILTERS: u32 = PRODUCTS * FILTER_RUN;
const FILTER_RUN: u32 = SLICE * TILE_M_VECTORS; // of a product
const FILTER_LOADS: u32 = FILTERS / THREADS;

// Vectors of workgroup memory: transformed patches [product][channel][tile], then filters [product][channel][m]. At the
// end sums [product][channel of the round][tile].
const SOURCES: u32 = PRODUCTS * SLICE * TILE_N_VECTORS;
var<workgroup> held: array<vec4<f32>, SOURCES + FILTERS>;

// Channels that change hands at a time, of a thread and of the tile; and tiles that a thread transforms back at once:
// on condition VECTOR_RESULT their rows are an aligned vector.
const ROUND_M: u32 = SLICE / 2u;
const ROUNDS: u32 = M_PER_THREAD / ROUND_M;
const ROUND_CHANNELS: u32 = ALONG * ROUND_M;
@if(VECTOR_RESULT) const TOGETHER: u32 = 2u;
@else const TOGETHER: u32 = 1u;
const ACROSS: u32 = TILE_N / TOGETHER;
const RETURNS: u32 = (ROUND_CHANNELS * ACROSS + THREADS - 1u) / THREADS;

struct Geometry {
  tasks: u32,
  groups: u32,
  tilesM: u32,
  tiles: u32, // of the batch
  tileGrid: vec2<u32>, // rows and columns of a sample's tiles
  phases: vec2<u32>, // the dilation, but no more than there are results along the axis
  dilation: vec2<u32>, // down and across
  sourceChannels: u32, // of a group, as resultChannels
  resultChannels: u32,
  filterPitch: u32, // vectors of filters from one product to the next
  sourceHeight: u32,
  sourceWidth: u32,
  padTop: i32,
  padLeft: i32,
  sourceStrides: vec3<u32>, // batch, channel, position
  resultHeight: u32,
  resultWidth: u32,
  resultStrides: vec3<u32>,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> filters: array<vec4<f32>>;

fn placeOf(tile: u32) -> TilePlace {
  return tilePlace(tile, geometry.tileGrid, geometry.phases, geometry.dilation);
}

// Adds what the result holds of earlier blocks, and stores the sums: as they are where later ones follow.
fn finish(sum: Sum, channel: u32, place: u32, isEarlier: bool, isLater: bool) {
  @if(BLOCKED) {
    var total = sum;
    if (isEarlier) {
      total += earlierSum(place);
    }
    if (isLater) {
      keepSum(total, place);
    } else {
      storeResult(total, channel, place, 0u);
    }
  } @else storeResult(sum, channel, place, 0u);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let task = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  if (task >= geometry.tasks) {
    return;
  }
  let channelTile = task % geometry.tilesM;
  let group = (task / geometry.tilesM) % geometry.groups;
  let firstTile = (task / (geometry.tilesM * geometry.groups)) * TILE_N;
  let slices = (geometry.sourceChannels + SLICE - 1u) / SLICE;

  // The patch that a thread loads: rows and columns that do not exist are read elsewhere, and are zeros.
  let patchTile = firstTile + thread % TILE_N;
  let exists = patchTile < geometry.tiles;
  let origin = placeOf(min(patchTile, geometry.tiles - 1u));
  let firstSource = origin.sample * geometry.sourceStrides.x
    + group * geometry.sourceChannels * geometry.sourceStrides.y;
  var rows: array<u32, PATCH>;
  var columns: array<u32, PATCH>;
  var isRow: array<bool, PATCH>;
  var isColumn: array<bool, PATCH>;
  for (var i = 0u; i < PATCH; i++) { // @unroll
    let h = paddedSource(i32(origin.top + i * geometry.dilation.x) - geometry.padTop, geometry.sourceHeight);
    isRow[i] = exists & (h < geometry.sourceHeight);
    rows[i] = select(0u, h * geometry.sourceWidth * geometry.sourceStrides.z, isRow[i]);
    let w = paddedSource(i32(origin.left + i * geometry.dilation.y) - geometry.padLeft, geometry.sourceWidth);
    isColumn[i] = w < geometry.sourceWidth;
    columns[i] = select(0u, w * geometry.sourceStrides.z, isColumn[i]);
  }
  let firstFilter = (group * geometry.tilesM + channelTile) * slices * FILTER_RUN
    + (thread / FILTER_RUN) * geometry.filterPitch + thread % FILTER_RUN;
  let filterStep = (THREADS / FILTER_RUN) * geometry.filterPitch;
  let loadsPatches = PATCHES >= THREADS || thread < PATCHES;

  var loaded: array<vec4<f32>, PATCH>;
  for (var blockIndex = 0u; blockIndex < MOST_BLOCKS; blockIndex++) {
    let firstSlice = blockIndex * BLOCK_SLICES;
    if (firstSlice >= slices) {
      break;
    }
    let endSlice = min(slices, firstSlice + BLOCK_SLICES);
    var sums: array<vec4<f32>, SUMS>;
    for (var i = 0u; i < SUMS; i++) { // @unroll
      sums[i] = vec4<f32>(0.0);
    }
    // One iteration more than there are slices: each loads a slice, and multiplies the one before.
    for (var turn = 0u; turn < BLOCK_SLICES + 1u; turn++) {
      let slice = firstSlice + turn;
      // The last iteration loads once more what is there: a branch would make compilers move it between registers.
      let next = min(slice, endSlice - 1u);
      if (loadsPatches) {
        let channel = next * SLICE + thread / TILE_N;
        let isChannel = !RAGGED || channel < geometry.sourceChannels;
        let base = firstSource + select(0u, channel, isChannel) * geometry.sourceStrides.y;
        for (var y = 0u; y < PATCH; y++) { // @unroll
          for (var x = 0u; x < PATCH; x++) { // @unroll
            let value = sourceAt(base + rows[y] + columns[x]);
            loaded[y][x] = select(0.0, value, isRow[y] & isColumn[x] & isChannel);
          }
        }
      }
      if (turn > 0u) {
        let threadM = (thread / ALONG) % ALONG;
        let threadN = thread % ALONG;
        for (var step = 0u; step < SLICE / UNROLL; step++) {
          let atM = (thread / SHARING) * FILTER_RUN + step * (UNROLL * TILE_M_VECTORS) + threadM;
          let atN = (thread / SHARING) * (SLICE * TILE_N_VECTORS) + step * (UNROLL * TILE_N_VECTORS) + threadN;
          for (var k = 0u; k < UNROLL; k++) { // @unroll
            for (var q = 0u; q < M_PER_THREAD / 4u; q++) { // @unroll
              let a = held[atM + (SOURCES + k * TILE_M_VECTORS + q * ALONG)];
              for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
                let b = held[atN + (k * TILE_N_VECTORS + v * ALONG)];
                for (var j = 0u; j < 4u; j++) { // @unroll
                  sums[(q * 4u + j) * VECTORS_PER_THREAD + v] += a[j] * b;
                }
              }
            }
          }
        }
      }
      if (slice >= endSlice) {
        break;
      }
      workgroupBarrier();
      if (loadsPatches) {
        let n = thread % TILE_N;
        let at = (thread / TILE_N) % SLICE * TILE_N_VECTORS + n / 4u;
        var down: array<array<f32, 6>, PATCH>;
        for (var x = 0u; x < PATCH; x++) { // @unroll
          var values: array<f32, 6>;
          for (var y = 0u; y < PATCH; y++) { // @unroll
            values[y] = loaded[y][x];
          }
          down[x] = transformPatch(values);
        }
        for (var y = 0u; y < PATCH; y++) { // @unroll
          var values: array<f32, 6>;
          for (var x = 0u; x < PATCH; x++) { // @unroll
            values[x] = down[x][y];
          }
          let products = transformPatch(values);
          for (var x = 0u; x < PATCH; x++) { // @unroll
            held[at + (y * PATCH + x) * (SLICE * TILE_N_VECTORS)][n % 4u] = products[x];
          }
        }
      }
      for (var i = 0u; i < FILTER_LOADS; i++) { // @unroll
        held[thread + (SOURCES + i * THREADS)] = filters[firstFilter + slice * FILTER_RUN + i * filterStep];
      }
      workgroupBarrier();
    }

    let isEarlier = blockIndex > 0u;
    let isLater = endSlice < slices;
    let n = (thread % ACROSS) * TOGETHER;
    let place = placeOf(firstTile + n);
    let firstResult = place.sample * geometry.resultStrides.x
      + (place.top * geometry.resultWidth + place.left) * geometry.resultStrides.z;
    for (var round = 0u; round < ROUNDS; round++) {
      workgroupBarrier();
      let own = (thread / SHARING) * (ROUND_CHANNELS * TILE_N_VECTORS)
        + (thread / ALONG) % ALONG * (ROUND_M * TILE_N_VECTORS) + thread % ALONG;
      for (var r = 0u; r < ROUNDS; r++) { // @unroll
        if (round == r) {
          for (var i = 0u; i < ROUND_M; i++) { // @unroll
            for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
              held[own + (i * TILE_N_VECTORS + v * ALONG)] = sums[(r * ROUND_M + i) * VECTORS_PER_THREAD + v];
            }
          }
        }
      }
      workgroupBarrier();
      for (var i = 0u; i < RETURNS; i++) { // @unroll
        let c = thread / ACROSS + i * (THREADS / ACROSS);
        let m = c / ROUND_M * 4u + c % ROUND_M + (round * ROUND_M / 4u * 16u + round * ROUND_M % 4u);
        let inGroup = channelTile * TILE_M + m;
        if (c < ROUND_CHANNELS && inGroup < geometry.resultChannels && firstTile + n < geometry.tiles) {
          let channel = group * geometry.resultChannels + inGroup;
          var tops: array<vec2<f32>, TOGETHER>;
          var bottoms: array<vec2<f32>, TOGETHER>;
          for (var t = 0u; t < TOGETHER; t++) { // @unroll
            var first: array<f32, PATCH>;
            var second: array<f32, PATCH>;
            for (var x = 0u; x < PATCH; x++) { // @unroll
              var values: array<f32, 6>;
              for (var y = 0u; y < PATCH; y++) { // @unroll
                let at = (c % ROUND_CHANNELS) * TILE_N_VECTORS + n / 4u;
                values[y] = held[at + ((y * PATCH + x) * ROUND_CHANNELS * TILE_N_VECTORS)][n % 4u + t];
              }
              let ends = transformResult(values);
              first[x] = ends[0];
              second[x] = ends[1];
            }
            let top = transformResult(array<f32, 6>(first[0], first[1], first[2], first[3], 0.0, 0.0));
            let bottom = transformResult(array<f32, 6>(second[0], second[1], second[2], second[3], 0.0, 0.0));
            tops[t] = vec2<f32>(top[0], top[1]);
            bottoms[t] = vec2<f32>(bottom[0], bottom[1]);
          }
          let at = firstResult + channel * geometry.resultStrides.y;
          @if(VECTOR_RESULT) {
            let below = (at + geometry.resultWidth) / 4u;
            finish(vec4<f32>(tops[0], tops[1]), channel, at / 4u, isEarlier, isLater);
            if (place.top + 1u < geometry.resultHeight) {
              finish(vec4<f32>(bottoms[0], bottoms[1]), channel, below, isEarlier, isLater);
            }
          } @else {
            for (var y = 0u; y < TILE; y++) { // @unroll
              for (var x = 0u; x < TILE; x++) { // @unroll
                let step = y * geometry.dilation.x * geometry.resultWidth + x * geometry.dilation.y;
                let sum = select(tops[0], bottoms[0], y > 0u)[x];
                if (place.top + y * geometry.dilation.x < geometry.resultHeight
                  && place.left + x * geometry.dilation.y < geometry.resultWidth) {
                  finish(sum, channel, at + step * geometry.resultStrides.z, isEarlier, isLater);
                }
              }
            }
          }
        }
      }
    }
    @if(BLOCKED) continue;
    @else break;
  }
}
