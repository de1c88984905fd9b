/**
 * Scalar tiles: register tiles for GPUs, whose weights are scalars, the same for all threads of a workgroup. No workgroup memory,
 * no barrier. Forward pass and input gradient.
 *
 *   C[m, n] = sum over taps t, then over source channels c, of A[m, (t, c)] * B[(t, c), n]
 *
 *   M result channels, N result positions: of a workgroup, threads * placesPerThread places, neighbours for neighbouring threads
 *
 *   A, the weights: packed, a row for unroll = 2 of K        B, the sources: each thread loads its own places
 *
 *           k  k+1                                            thread  0    1    2   ..    0    1    2   ..
 *         +---+---+                                                 +----+----+----+--  +----+----+----+--
 *      m  |   |   |                                             k   |    |    |    |    |    |    |    |
 *     m+1 |   |   |  the same for all threads:                 k+1  |    |    |    |    |    |    |    |
 *     m+2 |   |   |  a load for the subgroup                        +----+----+----+--  +----+----+----+--
 *     m+3 |   |   |                                                   placesPerThread = 2
 *         +---+---+  mPerThread = 4
 *
 * A place is a position; or four of them, loaded as a vector, where a pointwise layer's lie in vectors. A row takes unroll *
 * placesPerThread loads of sources, and multiplies each with mPerThread weights. Sources are read once for every mPerThread
 * result channels, from caches: larger tiles in workgroup memory read them less often. Which is quicker, is predicted
 * (planning/scalarModel.ts, planning/tileModel.ts).
 */
import kernel from "../../../shaders/scalar_tile/scalar_tile.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import {
  type BindingSource,
  dispatch,
  foldWorkgroups,
  isRefusal,
  type Refusal,
  type Solver,
  type Steps,
  without,
} from "../../planning/solver.js";
import { gatherProduct } from "../implicitGemm/tapGemm.js";
import { rankedTiles } from "../implicitGemm/tileChoice.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { blocksOf, resultSplitKRefusal, resultSums } from "../passes/sumSplits.js";
import { cutWalk } from "../shared/blocks.js";
import {
  elementTypes,
  registerTileRefusal,
  tileSizeRefusal,
  unsharedRefusal,
  vectorResults,
} from "../shared/constants.js";
import { describeGather, meanK, slopesOf } from "../shared/gather.js";
import { columnsOf, type ColumnTile, packColumns } from "./packColumns.js";
import {
  hasEdges,
  placeWidth,
  predictScalarTile,
  rankedScalarTiles,
  scalarUnfit,
  type ScalarTileConfig,
} from "./scalarChoice.js";

const VECTOR = 4;

/** Tiles of software devices, for the tuner. */
const FEW_TILES: readonly ScalarTileConfig[] = [
  { threads: 64, mPerThread: 8, placesPerThread: 1, unroll: 2 },
  { threads: 32, mPerThread: 4, placesPerThread: 2, unroll: 4 },
];
/** Candidates that a tuner measures. */
const MOST_CANDIDATES = 3;

function refusal(
  { threads, mPerThread, placesPerThread, unroll }: ScalarTileConfig,
  width: number,
  capabilities: Capabilities,
) {
  if (mPerThread % VECTOR !== 0) return `mPerThread is ${String(mPerThread)}; expected a multiple of ${String(VECTOR)}`;
  const sums = mPerThread * placesPerThread * width;
  return (
    registerTileRefusal(threads, { mPerThread, placesPerThread, unroll }, capabilities) ??
    tileSizeRefusal(sums, mPerThread * placesPerThread * unroll)
  );
}

export const scalarTile: Solver<ScalarTileConfig> = {
  name: "scalar-tile",
  directions: ["forward", "inputGradient"],
  knobs: { threads: true, mPerThread: true, placesPerThread: true, unroll: true, splitK: false },

  configs(operation, capabilities) {
    if (policyOf(capabilities).loadCost !== undefined) return FEW_TILES;
    return rankedScalarTiles(operation, describeGather(operation), capabilities)
      .slice(0, MOST_CANDIDATES)
      .map(({ config }) => config);
  },

  predictClocks: (operation, capabilities, config) =>
    predictScalarTile(operation, describeGather(operation), capabilities, config),

  discouraged(operation, capabilities) {
    const gather = describeGather(operation);
    const unfit = scalarUnfit(operation, gather, capabilities);
    if (unfit !== undefined) return unfit;
    const [best] = rankedScalarTiles(operation, gather, capabilities);
    const product = gatherProduct(operation, gather, capabilities);
    const other = rankedTiles(product, capabilities).at(0)?.clocks ?? Infinity;
    if (best.clocks < other) return undefined;
    const clocks = (count: number): string => Math.round(count).toString();
    return `${clocks(best.clocks)} clocks are predicted, and ${clocks(other)} of tap-gemm`;
  },

  plan(operation, capabilities, config) {
    const product = scalarProduct(operation, capabilities, config, "weights packed");
    if (isRefusal(product)) return product;
    const gather = describeGather(operation);
    const tile = columnTile(config);
    return {
      dispatches: [
        packColumns(operation, gather, tile, capabilities),
        ...product.dispatches,
        ...borderDispatches(operation, capabilities),
      ],
      scratchBytes: { "weights packed": columnsOf(operation.problem, gather, tile).bytes, ...product.scratchBytes },
    };
  },
};

/** The columns that a tile reads. */
export const columnTile = ({ mPerThread, unroll }: ScalarTileConfig): ColumnTile => ({
  tileM: mPerThread,
  unit: unroll,
});

/**
 * The product alone, of weights that lie in columns.
 *
 * @param weights where these are
 */
export function scalarProduct(
  operation: ConvOperation,
  capabilities: Capabilities,
  config: ScalarTileConfig,
  weights: BindingSource,
): Steps | Refusal {
  const { threads, mPerThread, placesPerThread, unroll, splitK = 1 } = config;
  const gather = describeGather(operation);
  const width = placeWidth(operation, gather);
  const refused =
    unsharedRefusal(operation.problem) ??
    refusal(config, width, capabilities) ??
    resultSplitKRefusal(operation, splitK, capabilities);
  if (refused !== undefined) return { refused };
  const { phases, phaseCount, phaseSize, resultChannels, sourceChannels, uniforms } = gather;
  const { groups, batch } = operation.problem;
  const phasePlaces = gather.phasePositions / width;
  const places = batch * phasePlaces;
  const { tilesM, strides } = columnsOf(operation.problem, gather, columnTile(config));
  const tilesN = Math.ceil(places / (threads * placesPerThread));
  const tasksPerSplit = phaseCount * groups * tilesM * tilesN;
  const walk = cutWalk({ channels: sourceChannels, taps: gather.k / sourceChannels, unit: unroll, splitK });
  const sumsPerThread = width * mPerThread * placesPerThread;
  const sums = resultSums(operation, gather, blocksOf(tasksPerSplit, walk, sumsPerThread), splitK, capabilities);
  const tasks = sums.splitK * tasksPerSplit;
  const results = vectorResults(sums.types.Result, width > 1);
  const types = elementTypes(operation);
  const inPlaces = ([sample, channel, position]: readonly number[]): readonly number[] => [
    sample / width,
    channel / width,
    position,
  ];
  const step = dispatch(kernel, {
    constants: {
      ...gather.constants,
      THREADS: threads,
      M_PER_THREAD: mPerThread,
      PLACES_PER_THREAD: placesPerThread,
      UNROLL: unroll,
      REMAINDER: sourceChannels % unroll,
      RAGGED_M: resultChannels % mPerThread !== 0,
      POINTWISE: isPointwise(operation.problem),
      EDGES: hasEdges(operation),
      CHANNEL_STEPS: policyOf(capabilities).device.accessInstructions > 1,
      ...sums.constants,
      ...results.constants,
    },
    types: {
      ...types,
      ...results.types,
      Source: vectorResults(types.Element, width > 1).types.Result,
    },
    uniforms: {
      ...without(uniforms, "weightStrides", "weightGroupStride"),
      sourceStrides: inPlaces(uniforms.sourceStrides),
      resultStrides: inPlaces(uniforms.resultStrides),
      phases,
      phaseSize,
      phasePlaces,
      places,
      groups,
      tilesM,
      tilesN,
      tasks,
      rowStrides: strides,
      chunks: walk.chunks,
      chunkRows: walk.chunkChannels / unroll,
      stepsPerBlock: walk.stepsPerBlock,
      blocks: walk.blocks,
      blocksPerSplit: sums.perSplit,
      resultElements: sums.resultElements / width,
    },
    bindings: {
      ...without(gather.bindings, "weight", "activated"),
      activated: slopesOf(operation),
      activatedSources: operation.masked ? "activated" : "unused",
      ...sums.bindings,
      weights,
    },
    workgroups: foldWorkgroups(tasks, capabilities),
    multiplyAdds: tasksPerSplit * threads * sumsPerThread * meanK(operation, gather),
  });
  return { dispatches: [step, ...sums.reduction], scratchBytes: sums.scratchBytes };
}
