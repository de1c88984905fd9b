// Subgroup matrices, forward pass and input gradient of pointwise layers in float16: a matrix product whose tiles a
// subgroup multiplies as a whole, on units made for it where a GPU has them. Sums are in float32.
//
//   result[m, n] = sum over source channels k of weight[m, k] * source[k, n]
//
//   m: result channel of a group
//   n: position, counted through the batch
//
// A workgroup of SUBGROUPS_M x SUBGROUPS_N subgroups computes a tile of TILE_M x TILE_N. It loads TILE_K of both
// factors into workgroup memory at a time. A subgroup holds MATRICES_M x MATRICES_N sums, each MATRIX_M x MATRIX_N.
// After a block of K these go to its lanes by way of workgroup memory: a lane adds up TOTALS results, and stores them
// at the end.
// LANES is the most that a subgroup may have. Where it has fewer, two subgroups compute the same.
// Condition SUBGROUP_MATRICES: Dawn's experimental feature. Without it lanes multiply and add by themselves, and all
// the rest is the same: so it can be run anywhere.
// Dispatch: groups x tilesN x tilesM workgroups, folded.
import package::common::element::Element;
import package::common::grid::workgroupIndex;
import package::common::long_sum::BLOCK_TERMS;
import package::common::result::storeResult;
import package::common::source::sourceAt;

@if(SUBGROUP_MATRICES) enable chromium_experimental_subgroup_matrix;
// Compilers do not see that a subgroup's number is the same for all of its lanes.
@if(SUBGROUP_MATRICES) diagnostic(off, chromium.subgroup_matrix_uniformity);

const LANES: u32 = 32u; // @specialize
const SUBGROUPS_M: u32 = 1u; // @specialize
const SUBGROUPS_N: u32 = 1u; // @specialize
const MATRICES_M: u32 = 1u; // @specialize
const MATRICES_N: u32 = 1u; // @specialize
const MATRIX_M: u32 = 8u; // @specialize
const MATRIX_N: u32 = 8u; // @specialize
const MATRIX_K: u32 = 8u; // @specialize
const TILE_K: u32 = 8u; // @specialize
// Matrices of both factors, and of sums.
alias Left = f32; // @specialize
alias Right = f32; // @specialize
alias Product = f32; // @specialize

const SUBGROUPS: u32 = SUBGROUPS_M * SUBGROUPS_N;
const THREADS: u32 = LANES * SUBGROUPS;
const MATRICES: u32 = MATRICES_M * MATRICES_N;
const SUBGROUP_M: u32 = MATRICES_M * MATRIX_M;
const SUBGROUP_N: u32 = MATRICES_N * MATRIX_N;
const TILE_M: u32 = SUBGROUPS_M * SUBGROUP_M;
const TILE_N: u32 = SUBGROUPS_N * SUBGROUP_N;
const MATRIX_SIZE: u32 = MATRIX_M * MATRIX_N;
// Of a matrix, and of all, what a lane adds up.
const ELEMENTS: u32 = MATRIX_SIZE / LANES;
const TOTALS: u32 = MATRICES * ELEMENTS;
const STEPS: u32 = TILE_K / MATRIX_K;
// What a thread loads for a tile of K.
const WEIGHT_LOADS: u32 = TILE_M * TILE_K / THREADS;
const SOURCE_LOADS: u32 = TILE_N * TILE_K / THREADS;
const BLOCK_K: u32 = max(1u, BLOCK_TERMS / TILE_K) * TILE_K;

struct Geometry {
  n: u32, // batch * positions
  positions: u32, // of a sample
  k: u32, // source channels of a group
  resultChannels: u32, // per group
  groups: u32,
  tilesM: u32,
  tilesN: u32,
  tasks: u32, // groups * tilesN * tilesM
  sourceStrides: vec3<u32>, // batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  weightStrides: vec3<u32>, // result channel, source channel, tap
  weightGroupStride: u32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weight: array<Element>;

var<workgroup> weightTile: array<Element, TILE_M * TILE_K>;
// k is the fastest in both: lanes then read a matrix in whole vectors.
var<workgroup> sourceTile: array<Element, TILE_N * TILE_K>;
// Where the positions of a tile lie in the source.
var<workgroup> places: array<u32, TILE_N>;
@if(SUBGROUP_MATRICES) var<workgroup> staged: array<f32, SUBGROUPS * MATRIX_SIZE>;

// Of the tile, the m and n of a lane's result number `i`.
fn ownM(i: u32, lane: u32, firstM: u32) -> u32 {
  return firstM + (i / ELEMENTS / MATRICES_N) * MATRIX_M + (lane + (i % ELEMENTS) * LANES) / MATRIX_N;
}

fn ownN(i: u32, lane: u32, firstN: u32) -> u32 {
  return firstN + ((i / ELEMENTS) % MATRICES_N) * MATRIX_N + (lane + (i % ELEMENTS) * LANES) % MATRIX_N;
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
  let tileM = (task % geometry.tilesM) * TILE_M;
  let tileN = ((task / geometry.tilesM) % geometry.tilesN) * TILE_N;
  let group = task / (geometry.tilesM * geometry.tilesN);
  let subgroup = thread / LANES;
  let lane = thread % LANES;
  let firstM = (subgroup / SUBGROUPS_N) * SUBGROUP_M;
  let firstN = (subgroup % SUBGROUPS_N) * SUBGROUP_N;
  for (var i = thread; i < TILE_N; i += THREADS) {
    let n = min(tileN + i, geometry.n - 1u);
    let strides = geometry.sourceStrides;
    places[i] = (n / geometry.positions) * strides.x + (n % geometry.positions) * strides.z;
  }

  var totals: array<f32, TOTALS>;
  @if(SUBGROUP_MATRICES) var products: array<Product, MATRICES>;
  for (var blockK = 0u; blockK < geometry.k; blockK += BLOCK_K) {
    @if(SUBGROUP_MATRICES) {
      for (var i = 0u; i < MATRICES; i++) { // @unroll
        products[i] = Product();
      }
    }
    let blockEnd = min(geometry.k, blockK + BLOCK_K);
    for (var firstK = blockK; firstK < blockEnd; firstK += TILE_K) {
      workgroupBarrier();
      for (var i = 0u; i < WEIGHT_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        let m = tileM + slot / TILE_K;
        let k = firstK + slot % TILE_K;
        let exists = m < geometry.resultChannels && k < geometry.k;
        let place = group * geometry.weightGroupStride + m * geometry.weightStrides.x + k * geometry.weightStrides.y;
        weightTile[slot] = select(Element(0.0), weight[select(0u, place, exists)], exists);
      }
      for (var i = 0u; i < SOURCE_LOADS; i++) { // @unroll
        let slot = thread + i * THREADS;
        let n = slot % TILE_N;
        let k = slot / TILE_N;
        let exists = tileN + n < geometry.n && firstK + k < geometry.k;
        let place = places[n] + (group * geometry.k + firstK + k) * geometry.sourceStrides.y;
        sourceTile[n * TILE_K + k] = Element(select(0.0, sourceAt(select(0u, place, exists)), exists));
      }
      workgroupBarrier();
      @if(SUBGROUP_MATRICES) {
        for (var step = 0u; step < STEPS; step++) { // @unroll
          let k = step * MATRIX_K;
          var rights: array<Right, MATRICES_N>;
          for (var j = 0u; j < MATRICES_N; j++) { // @unroll
            let place = (firstN + j * MATRIX_N) * TILE_K + k;
            rights[j] = subgroupMatrixLoad<Right, col_major>(&sourceTile, place, TILE_K);
          }
          for (var i = 0u; i < MATRICES_M; i++) { // @unroll
            let place = (firstM + i * MATRIX_M) * TILE_K + k;
            let left = subgroupMatrixLoad<Left, row_major>(&weightTile, place, TILE_K);
            for (var j = 0u; j < MATRICES_N; j++) { // @unroll
              let sums = products[i * MATRICES_N + j];
              products[i * MATRICES_N + j] = subgroupMatrixMultiplyAccumulate(left, rights[j], sums);
            }
          }
        }
      } @else {
        for (var i = 0u; i < TOTALS; i++) {
          let m = ownM(i, lane, firstM);
          let n = ownN(i, lane, firstN);
          for (var k = 0u; k < TILE_K; k++) {
            totals[i] += f32(weightTile[m * TILE_K + k]) * f32(sourceTile[n * TILE_K + k]);
          }
        }
      }
    }
    @if(SUBGROUP_MATRICES) {
      for (var i = 0u; i < MATRICES; i++) { // @unroll
        workgroupBarrier();
        subgroupMatrixStore<row_major>(&staged, subgroup * MATRIX_SIZE, products[i], MATRIX_N);
        workgroupBarrier();
        for (var e = 0u; e < ELEMENTS; e++) { // @unroll
          totals[i * ELEMENTS + e] += staged[subgroup * MATRIX_SIZE + lane + e * LANES];
        }
      }
    }
  }

  for (var i = 0u; i < TOTALS; i++) { // @unroll
    let m = tileM + ownM(i, lane, firstM);
    let n = tileN + ownN(i, lane, firstN);
    if (m < geometry.resultChannels && n < geometry.n) {
      let channel = group * geometry.resultChannels + m;
      let at = vec3<u32>(n / geometry.positions, channel, n % geometry.positions) * geometry.resultStrides;
      storeResult(totals[i], channel, at.x + at.y + at.z, 0u);
    }
  }
}
