// Scalar tiles, forward pass and input gradient: register tiles whose weights are scalars, the same for a workgroup.
//
//   result[m, n] = sum over taps t, then over source channels c, of weight[m, t, c] * source[c, where n reads it for t]
//
// Each thread holds M_PER_THREAD result channels x PLACES_PER_THREAD places along N in registers. All threads of a
// workgroup lie along N and have the same m, so a weight's address is uniform: GPUs load it once for a subgroup, into
// scalar registers where they have some. Neighbouring threads load neighbouring places. No workgroup memory and no
// barrier. A picture: src/solvers/scalarTile.
// A place is one position, or on condition VECTOR_RESULT four neighbouring ones of a pointwise layer: then `Source`,
// `Sum` and `Result` are vectors, and sizes and strides along positions count vectors.
// Weights are packed (pack_columns.wgsl): for each tile of M, tap and channel the M_PER_THREAD weights in a row.
// Transposed, the positions of a workgroup are of one phase (common/phases.wgsl).
// Dispatch: splitK x phases x groups x tilesN x tilesM workgroups, folded. Tiles along M are neighbours: they read the
// same sources.
import package::common::epilogue::{maskGradient, maskGradients, MASKED};
import package::common::grid::workgroupIndex;
import package::common::phases::{isOfPhase, phaseCount, phaseIndex, phaseOffset, phasePosition};
import package::common::result::{earlierSum, keepSum, storeResult, Sum};
import package::common::source::{source, Source};
import package::common::space::flatten;
import package::common::taps::{firstTap, gatherAt, gatherOrigin, isInside, tapCounts, tapNumber, tapOf};

const THREADS: u32 = 64u; // @specialize
const M_PER_THREAD: u32 = 8u; // @specialize
const PLACES_PER_THREAD: u32 = 1u; // @specialize
// Channels of a row: they are unrolled.
const UNROLL: u32 = 4u; // @specialize
// Channels of a tap's last row, if they are fewer; else 0.
const REMAINDER: u32 = 0u; // @specialize
// The result channels are no multiple of M_PER_THREAD.
const RAGGED_M: bool = false; // @specialize
// A place reads the source at its own place: a pointwise layer.
const POINTWISE: bool = false; // @specialize
// Some taps read beyond the edge, where there are zeros.
const EDGES: bool = false; // @specialize
// Places go on from channel to channel; else from row to row, where multiples of a stride are added for nothing.
const CHANNEL_STEPS: bool = false; // @specialize
// K is split: the sums of each part go to a partial result (sum_splits.wgsl adds them).
const SPLIT_K: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the result, which is float32
// then. On condition IN_REGISTERS they are added up in registers.

const M_VECTORS: u32 = M_PER_THREAD / 4u;
const SUMS: u32 = M_PER_THREAD * PLACES_PER_THREAD;
const VALUES: u32 = UNROLL * PLACES_PER_THREAD;
const ROW_VECTORS: u32 = UNROLL * M_VECTORS;
// More rows or blocks than any buffer holds: loops with a constant bound and a break need no guard counters.
const MOST: u32 = 0x40000000u;
// The place of what does not exist.
const NOWHERE: u32 = 0xffffffffu;

struct Geometry {
  sourceSize: vec3<u32>,
  resultSize: vec3<u32>,
  padBegin: vec3<i32>,
  phases: vec3<u32>,
  phaseSize: vec3<u32>, // positions of a phase along each axis
  phasePlaces: u32, // of one sample and phase
  places: u32, // batch * phasePlaces
  resultChannels: u32, // per group, as sourceChannels
  sourceChannels: u32,
  groups: u32,
  tilesM: u32,
  tilesN: u32,
  tasks: u32, // splits * phases * groups * tilesM * tilesN
  sourceStrides: vec3<u32>, // in places: batch, channel, position; likewise for the result
  resultStrides: vec3<u32>,
  rowStrides: vec3<u32>, // in rows of weights: group, tile of M, tap
  // K is cut into steps, each some rows of a tap, and these into blocks.
  chunks: u32, // of a tap
  chunkRows: u32,
  stepsPerBlock: u32,
  blocks: u32,
  blocksPerSplit: u32,
  resultElements: u32, // from one partial result to the next, in places
  firstWorkgroup: u32,
}

// The weights of a tile of M, for UNROLL channels of a tap.
struct Row {
  vectors: array<vec4<f32>, ROW_VECTORS>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(3) var<storage, read> weights: array<Row>;
// The relu's output, laid out as the source.
@group(0) @binding(7) var<storage, read> activatedSources: array<Source>;

fn sourceValue(place: u32) -> Sum {
  let value = Sum(source[place]);
  if (MASKED) {
    @if(VECTOR_RESULT) return maskGradients(value, Sum(activatedSources[place]));
    @else return maskGradient(value, Sum(activatedSources[place]));
  }
  return value;
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
  let tileM = task % geometry.tilesM;
  let tileN = (task / geometry.tilesM) % geometry.tilesN;
  let outer = task / (geometry.tilesM * geometry.tilesN);
  let group = outer % geometry.groups;
  let slice = outer / geometry.groups;
  let phase = phaseOffset(slice, geometry.phases);
  let first = firstTap(phase, geometry.padBegin);
  let counts = tapCounts(first);
  var firstBlock = 0u;
  var blocks = geometry.blocks;
  var firstResult = 0u;
  if (SPLIT_K) {
    let split = slice / phaseCount(geometry.phases);
    firstBlock = split * geometry.blocksPerSplit;
    blocks = min(blocks, firstBlock + geometry.blocksPerSplit);
    firstResult = split * geometry.resultElements;
  }
  let firstM = tileM * M_PER_THREAD;
  let channels = geometry.resultChannels - firstM;
  let firstChannel = group * geometry.resultChannels + firstM;
  let weightRow = group * geometry.rowStrides.x + tileM * geometry.rowStrides.y;

  // Of each place: where its sources begin, and its result in the first channel. Threads beyond the last place compute
  // it once more, and store nothing.
  var places: array<u32, PLACES_PER_THREAD>;
  var resultPlaces: array<u32, PLACES_PER_THREAD>;
  var samples: array<u32, PLACES_PER_THREAD>;
  var origins: array<vec3<i32>, PLACES_PER_THREAD>;
  for (var p = 0u; p < PLACES_PER_THREAD; p++) { // @unroll
    let n = (tileN * PLACES_PER_THREAD + p) * THREADS + thread;
    let found = min(n, geometry.places - 1u);
    let sample = found / geometry.phasePlaces;
    let index = found % geometry.phasePlaces;
    samples[p] = sample * geometry.sourceStrides.x + group * geometry.sourceChannels * geometry.sourceStrides.y;
    places[p] = samples[p] + index * geometry.sourceStrides.z;
    origins[p] = gatherOrigin(vec3<i32>(phasePosition(index, geometry.phaseSize, phase)), geometry.padBegin, first);
    let place = sample * geometry.resultStrides.x + firstChannel * geometry.resultStrides.y
      + phaseIndex(index, geometry.phaseSize, phase, geometry.resultSize) * geometry.resultStrides.z;
    let exists = (n < geometry.places) & isOfPhase(index, geometry.phaseSize, phase, geometry.resultSize);
    resultPlaces[p] = select(NOWHERE, place, exists);
  }

  // Block by block: the result holds the sums of those before.
  var sums: array<Sum, SUMS>;
  var totals: array<Sum, SUMS>;
  let firstStep = firstBlock * geometry.stepsPerBlock;
  var tap = firstStep / geometry.chunks;
  var chunk = firstStep % geometry.chunks;
  // A pointwise layer goes on from row to row.
  var row = weightRow + chunk * geometry.chunkRows;
  if (POINTWISE) {
    for (var p = 0u; p < PLACES_PER_THREAD; p++) { // @unroll
      places[p] += chunk * geometry.chunkRows * UNROLL * geometry.sourceStrides.y;
    }
  }
  let steps = select(geometry.stepsPerBlock, 1u, POINTWISE);
  for (var blockIndex = firstBlock; blockIndex < MOST; blockIndex++) {
    for (var i = 0u; i < SUMS; i++) { // @unroll
      sums[i] = Sum(0.0);
    }
    for (var step = 0u; step < steps; step++) {
      var lastRow = weightRow + geometry.rowStrides.z;
      var inside: array<bool, PLACES_PER_THREAD>;
      if (!POINTWISE) {
        if (tap >= counts.x * counts.y * counts.z) {
          break;
        }
        let line = tap / counts.z;
        let phaseTap = vec3<u32>(line / counts.y, line % counts.y, tap % counts.z);
        row = weightRow + tapNumber(tapOf(first, phaseTap)) * geometry.rowStrides.z;
        lastRow = row + geometry.rowStrides.z;
        row += chunk * geometry.chunkRows;
        for (var p = 0u; p < PLACES_PER_THREAD; p++) { // @unroll
          let at = gatherAt(origins[p], phaseTap, geometry.sourceSize);
          inside[p] = isInside(at, geometry.sourceSize);
          places[p] = samples[p] + chunk * geometry.chunkRows * UNROLL * geometry.sourceStrides.y
            + select(0u, flatten(at, geometry.sourceSize) * geometry.sourceStrides.z, !EDGES || inside[p]);
        }
        chunk++;
        if (chunk == geometry.chunks) {
          chunk = 0u;
          tap++;
        }
      }
      let endRow = min(lastRow, row + geometry.chunkRows);
      for (var r = row; r < MOST; r++) {
        if (r >= endRow) {
          break;
        }
        var values: array<Sum, VALUES>;
        for (var u = 0u; u < UNROLL; u++) { // @unroll
          for (var p = 0u; p < PLACES_PER_THREAD; p++) { // @unroll
            var value = sourceValue(places[p] + select(u * geometry.sourceStrides.y, 0u, CHANNEL_STEPS));
            if (CHANNEL_STEPS) {
              places[p] += geometry.sourceStrides.y;
            }
            if (EDGES) {
              value = select(Sum(0.0), value, inside[p]);
            }
            if (REMAINDER > 0u && u >= REMAINDER) {
              value = select(Sum(0.0), value, r + 1u < lastRow);
            }
            values[u * PLACES_PER_THREAD + p] = value;
          }
        }
        // Each sum takes all of its terms before the next one has its turn: compilers then need no second set of sums.
        for (var v = 0u; v < M_VECTORS; v++) { // @unroll
          for (var i = 0u; i < 4u; i++) { // @unroll
            for (var p = 0u; p < PLACES_PER_THREAD; p++) { // @unroll
              var sum = sums[(v * 4u + i) * PLACES_PER_THREAD + p];
              for (var u = 0u; u < UNROLL; u++) { // @unroll
                let factor = weights[r].vectors[u * M_VECTORS + v][i];
                sum = fma(Sum(factor), values[u * PLACES_PER_THREAD + p], sum);
              }
              sums[(v * 4u + i) * PLACES_PER_THREAD + p] = sum;
            }
          }
        }
        if (!CHANNEL_STEPS) {
          for (var p = 0u; p < PLACES_PER_THREAD; p++) { // @unroll
            places[p] += UNROLL * geometry.sourceStrides.y;
          }
        }
      }
      row = endRow;
    }

    // Results are stored here and not behind the loop: sums then need no registers from one block to the next.
    var isLast = true;
    @if(BLOCKED) isLast = blockIndex + 1u >= blocks;
    for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
      for (var p = 0u; p < PLACES_PER_THREAD; p++) { // @unroll
        let exists = (!RAGGED_M || m < channels) && resultPlaces[p] != NOWHERE;
        let place = resultPlaces[p] + m * geometry.resultStrides.y;
        var sum = sums[m * PLACES_PER_THREAD + p];
        @if(BLOCKED) {
          @if(IN_REGISTERS) {
            totals[m * PLACES_PER_THREAD + p] += sum;
            sum = totals[m * PLACES_PER_THREAD + p];
          } @else {
            sum += select(Sum(0.0), earlierSum(firstResult + place), blockIndex > firstBlock);
            if (exists && !isLast) {
              keepSum(sum, firstResult + place);
            }
          }
        }
        if (exists && isLast) {
          storeResult(sum, firstChannel + m, place, firstResult);
        }
      }
    }
    if (isLast) {
      break;
    }
  }
}
