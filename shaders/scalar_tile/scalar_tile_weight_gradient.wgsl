// Scalar tiles, weight gradient: register tiles whose gradients are scalars, the same for a workgroup.
//
//   partials[split][g, m, n] = sum over k of the split of dy[m, k] * patches[k, n]
//
//   k: output position, counted through the batch; m, n and partials: common/weight_gradient.wgsl, where n is (tap,
//      input channel), channel fastest
//
// Each thread holds M_PER_THREAD output channels x CHANNELS_PER_THREAD neighbouring input channels of a tap in
// registers. All threads of a workgroup lie along n and have the same m, so the address of a gradient is uniform: GPUs
// load it once for a subgroup. Neighbouring threads load neighbouring channels. No workgroup memory and no barrier. A
// picture: src/solvers/scalarTile/scalarTileWeightGradient.ts.
// Both tensors lie so that positions have their channels side by side, and the input has its padding
// (pack_positions.wgsl). So a patch exists everywhere, and lies at the place of its n plus that of its k.
// Dispatch: splitK x groups x tilesN x tilesM workgroups, folded. Tiles along M are neighbours: they read the same
// sources.
import package::common::epilogue::HAS_BIAS;
import package::common::grid::workgroupIndex;

const THREADS: u32 = 64u; // @specialize
const M_PER_THREAD: u32 = 16u; // @specialize
const CHANNELS_PER_THREAD: u32 = 1u; // @specialize
// Positions of a row: they are unrolled.
const UNROLL: u32 = 4u; // @specialize
// The output channels are no multiple of M_PER_THREAD.
const RAGGED_M: bool = false; // @specialize
// The input channels are no multiple of CHANNELS_PER_THREAD, or there is a bias.
const RAGGED_N: bool = false; // @specialize
// Condition BLOCKED: K is longer than a block. The sums of several blocks are added up in the partial result.
// Condition IN_PLACE: gradients are read where they lie, and each k's are a row. Otherwise those of UNROLL are.
// Condition VECTORS: CHANNELS_PER_THREAD is more than one. `Source` is a vector then.

const M_VECTORS: u32 = M_PER_THREAD / 4u;
@if(IN_PLACE) const ROW_VECTORS: u32 = M_VECTORS;
@else const ROW_VECTORS: u32 = UNROLL * M_VECTORS;
// More rows or blocks than any buffer holds: loops with a constant bound and a break need no guard counters.
const MOST: u32 = 0x40000000u;

// The input of a thread's channels at one place.
alias Source = f32; // @specialize

struct Geometry {
  outputSize: vec2<u32>, // rows of a plane, planes of a sample
  tapCounts: vec2<u32>, // rows and columns
  tapSteps: vec3<u32>, // in places of channels, from one tap to the next along each axis
  rowSteps: vec3<u32>, // likewise from one output row to the next; what a plane's end adds; what a sample's end adds
  columnStep: u32, // from one output position to the next
  iterationSteps: vec2<u32>, // of UNROLL positions: in the input, and of gradients in place
  groupStep: u32,
  channelPlaces: u32, // of a group and tap
  nPlaces: u32, // channelPlaces * taps, and one for the bias
  n: u32, // weights of a filter, and one for the bias
  inputChannels: u32, // of a group, as outputChannels
  outputChannels: u32,
  groups: u32,
  tilesM: u32,
  tilesN: u32,
  tasks: u32, // splits * groups * tilesM * tilesN
  gradientSteps: vec2<u32>, // in rows: group, tile of M
  gradientStep: u32, // in place: likewise from one output position to the next
  // K is cut into steps, each some positions of an output row, and these into blocks.
  rowIterations: u32, // UNROLL positions each
  chunks: u32, // of a row
  chunkIterations: u32,
  steps: u32,
  stepsPerBlock: u32,
  blocks: u32,
  blocksPerSplit: u32,
  firstWorkgroup: u32,
}

// Gradients of a tile of M.
struct Row {
  vectors: array<vec4<f32>, ROW_VECTORS>,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> gradients: array<Row>;
@group(0) @binding(2) var<storage, read> sources: array<Source>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

fn partOf(sum: Source, i: u32) -> f32 {
  @if(VECTORS) return sum[i];
  @else return sum;
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
  let firstBlock = (outer / geometry.groups) * geometry.blocksPerSplit;
  let firstM = tileM * M_PER_THREAD;
  let channels = geometry.outputChannels - firstM;

  // Threads beyond the last place compute it once more, and store nothing.
  let wanted = tileN * THREADS + thread;
  let place = min(wanted, geometry.nPlaces - 1u);
  let tap = place / geometry.channelPlaces;
  let channel = place % geometry.channelPlaces;
  let line = tap / geometry.tapCounts.y;
  let isBias = HAS_BIAS && place == geometry.nPlaces - 1u;
  let tapPlace = (line / geometry.tapCounts.x) * geometry.tapSteps.x
    + (line % geometry.tapCounts.x) * geometry.tapSteps.y + (tap % geometry.tapCounts.y) * geometry.tapSteps.z
    + channel;
  let n = select(tap * geometry.inputChannels + channel * CHANNELS_PER_THREAD, geometry.n - 1u, isBias);
  let lastPart = select(geometry.inputChannels - channel * CHANNELS_PER_THREAD, 1u, isBias);
  let parts = select(0u, lastPart, wanted < geometry.nPlaces);
  let resultPlace = (outer * geometry.outputChannels + firstM) * geometry.n + n;

  // Where the first block begins.
  let firstStep = firstBlock * geometry.stepsPerBlock;
  var chunk = firstStep % geometry.chunks;
  let firstRow = firstStep / geometry.chunks;
  var y = firstRow % geometry.outputSize.x;
  let firstPlane = firstRow / geometry.outputSize.x;
  var z = firstPlane % geometry.outputSize.y;
  var rowPlace = firstRow * geometry.rowSteps.x + firstPlane * geometry.rowSteps.y
    + (firstPlane / geometry.outputSize.y) * geometry.rowSteps.z;
  let lane = group * geometry.groupStep + select(tapPlace, 0u, isBias);
  let firstGradient = group * geometry.gradientSteps.x + tileM * geometry.gradientSteps.y;
  let firstIteration = firstRow * geometry.rowIterations + chunk * geometry.chunkIterations;
  @if(IN_PLACE) var row = firstIteration;
  @else var row = firstGradient + firstIteration;
  @if(IN_PLACE) var gradientPlace = firstGradient + firstIteration * UNROLL * geometry.gradientStep;
  let endBlock = min(geometry.blocks, firstBlock + geometry.blocksPerSplit);
  var sums: array<Source, M_PER_THREAD>;
  for (var blockIndex = firstBlock; blockIndex < MOST; blockIndex++) {
    for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
      sums[m] = Source(0.0);
    }
    let endStep = min(geometry.steps, (blockIndex + 1u) * geometry.stepsPerBlock);
    for (var step = blockIndex * geometry.stepsPerBlock; step < MOST; step++) {
      if (step >= endStep) {
        break;
      }
      let iterationsBefore = chunk * geometry.chunkIterations;
      var source = lane + rowPlace + iterationsBefore * UNROLL * geometry.columnStep;
      let iterations = min(geometry.chunkIterations, geometry.rowIterations - iterationsBefore);
      let endRow = row + iterations;
      for (var r = row; r < MOST; r++) {
        if (r >= endRow) {
          break;
        }
        var values: array<Source, UNROLL>;
        for (var u = 0u; u < UNROLL; u++) { // @unroll
          values[u] = sources[source + u * geometry.columnStep];
          if (HAS_BIAS) {
            values[u] = select(values[u], Source(1.0), isBias);
          }
        }
        // Each sum takes all of its terms before the next one has its turn: compilers then need no second set of sums.
        for (var v = 0u; v < M_VECTORS; v++) { // @unroll
          for (var j = 0u; j < 4u; j++) { // @unroll
            var sum = sums[v * 4u + j];
            for (var u = 0u; u < UNROLL; u++) { // @unroll
              var factor: f32;
              @if(IN_PLACE) factor = gradients[gradientPlace + u * geometry.gradientStep].vectors[v][j];
              @else factor = gradients[r].vectors[u * M_VECTORS + v][j];
              sum = fma(Source(factor), values[u], sum);
            }
            sums[v * 4u + j] = sum;
          }
        }
        source += geometry.iterationSteps.x;
        @if(IN_PLACE) gradientPlace += geometry.iterationSteps.y;
      }
      row = endRow;
      chunk++;
      if (chunk == geometry.chunks) {
        chunk = 0u;
        y++;
        rowPlace += geometry.rowSteps.x;
        if (y == geometry.outputSize.x) {
          y = 0u;
          z++;
          rowPlace += geometry.rowSteps.y;
          if (z == geometry.outputSize.y) {
            z = 0u;
            rowPlace += geometry.rowSteps.z;
          }
        }
      }
    }

    // Results are stored here and not behind the loop: sums then need no registers from one block to the next. Reads
    // beyond N and M mean nothing, and are not stored.
    @if(BLOCKED) {
      if (blockIndex > firstBlock) {
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          for (var i = 0u; i < CHANNELS_PER_THREAD; i++) { // @unroll
            @if(VECTORS) sums[m][i] += partials[resultPlace + m * geometry.n + i];
            @else sums[m] += partials[resultPlace + m * geometry.n];
          }
        }
      }
    }
    for (var i = 0u; i < CHANNELS_PER_THREAD; i++) { // @unroll
      if (i < select(min(parts, 1u) * CHANNELS_PER_THREAD, parts, RAGGED_N)) {
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          if (!RAGGED_M || m < channels) {
            partials[resultPlace + m * geometry.n + i] = partOf(sums[m], i);
          }
        }
      }
    }
    if (blockIndex + 1u >= endBlock) {
      break;
    }
  }
}
