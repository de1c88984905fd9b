/**
 * Register tiles of vectors: forward pass and input gradient. Sources that do not lie in vectors of four neighbouring
 * positions are laid out so first, each as often as taps meet it (im2col; Chellapilla et al., "High Performance
 * Convolutional Neural Networks for Document Processing", 2006).
 */
import unfoldKernel from "../../shaders/unfold.wgsl";
import kernel from "../../shaders/vector_tile.wgsl";
import type { Capabilities } from "../gpu/capabilities.js";
import type { ConvOperation } from "../operation.js";
import { isPointwise } from "../problem.js";
import { constantsFor, type Dispatch, dispatch, foldWorkgroups, type Solver, type SolverConfig } from "../solver.js";
import { borderDispatches } from "./border.js";
import {
  elementTypes,
  dealtThreads,
  registerTileRefusal,
  shareRefusal,
  unsharedRefusal,
  enoughThreads,
  preferring,
  vectorResults,
} from "./constants.js";
import { describeGather, type Gather, liesInVectors } from "./gather.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "./pixels.js";

const VECTOR = 4;
const VECTOR_BYTES = 16;
const UNFOLD_THREADS = 64;
/** Rows and vectors of a tile, from large to small. */
const TILES = [
  { rows: 8, vectors: 2 },
  { rows: 8, vectors: 1 },
  { rows: 4, vectors: 2 },
  { rows: 4, vectors: 1 },
];
const THREADS = 64;
/** Channels whose weights the lanes of a subgroup may share. */
const MOST_SHARED = 8;
/** Multiply-adds of vectors that are written out for a step: more than this fill registers and instruction caches. */
const MOST_WRITTEN_OUT = 64;
/** Result channels below which laying a source out costs more than it saves: for one tap, and for several. */
const FEWEST_ROWS = { pointwise: 16, unfolded: 128 };

/** A pass in vectors. */
interface Vectors {
  readonly gather: Gather;
  readonly channels: number;
  /** Vectors of a phase, of one sample and of the batch. */
  readonly rowVectors: number;
  readonly columns: number;
  readonly visits: number;
  /** Whether sources lie in vectors as they are: a plain 1x1 layer. */
  readonly direct: boolean;
}

function describeVectors(operation: ConvOperation): Vectors {
  const { problem, pixels } = operation;
  const gather = describeGather(operation);
  const { layout, batch, groups } = problem;
  const rowVectors = Math.ceil(gather.gridPositions / VECTOR);
  return {
    gather,
    channels: groups * gather.sourceChannels,
    rowVectors,
    columns: batch * rowVectors,
    visits: gather.depth / gather.sourceChannels,
    direct: isPointwise(problem) && layout === "channels-first" && gather.gridPositions % VECTOR === 0 && !pixels,
  };
}

/** Bytes of the sources laid out. */
function unfoldedBytes({ gather, channels, columns, visits }: Vectors): number {
  return VECTOR_BYTES * columns * channels * gather.phaseCount * visits;
}

/** Channels whose weights lanes share: the most that divide a group's, and that a subgroup surely has lanes for. */
function sharedChannels(channels: number, { subgroupLanes }: Capabilities): number {
  let shared = MOST_SHARED;
  while (shared > subgroupLanes || channels % shared !== 0) shared /= 2;
  return shared;
}

function refusal(vectors: Vectors, config: SolverConfig, capabilities: Capabilities): string | undefined {
  const { threads, rows, vectors: columns, shared } = config;
  const tile = registerTileRefusal({ threads, rows, columns }, capabilities) ?? shareRefusal(shared, capabilities);
  if (tile !== undefined) return tile;
  const { sourceChannels } = vectors.gather;
  if (sourceChannels % shared !== 0) {
    return `${String(sourceChannels)} channels a group do not divide into shares of ${String(shared)}`;
  }
  const bytes = unfoldedBytes(vectors);
  const limit = capabilities.limits.maxStorageBufferBindingSize;
  if (vectors.direct || bytes <= limit) return undefined;
  return `the sources laid out need ${String(bytes)} bytes; the device binds ${String(limit)}`;
}

export const vectorTile: Solver = {
  name: "vector-tile",
  directions: ["forward", "inputGradient"],
  readsPixels: true,

  configs(operation, capabilities) {
    const { gather, columns } = describeVectors(operation);
    const { resultChannels, sourceChannels, phaseCount } = gather;
    const shared = sharedChannels(sourceChannels, capabilities);
    const fitting = TILES.filter(({ rows }) => rows < 2 * resultChannels);
    const tiles = fitting.length > 0 ? fitting : TILES.slice(-1);
    const isPreferred = ({ rows, vectors }: (typeof TILES)[number]): boolean => {
      const blocks = operation.problem.groups * Math.ceil(resultChannels / rows);
      const threads = phaseCount * blocks * Math.ceil(columns / vectors);
      return threads >= enoughThreads(capabilities) && rows * vectors * shared <= MOST_WRITTEN_OUT;
    };
    return preferring(tiles, isPreferred).map((tile) => ({ threads: THREADS, ...tile, shared }));
  },

  discouraged(operation, capabilities) {
    if (!capabilities.software) return "a GPU shares sources in workgroup memory better than it lays them out";
    const { direct, gather, visits, columns } = describeVectors(operation);
    const { resultChannels, sourceChannels } = gather;
    if (sharedChannels(sourceChannels, capabilities) === 1) {
      return "where lanes cannot share weights, register tiles do as well";
    }
    if (columns === 1 && visits > 1) return "one vector of results uses a source too seldom to lay it out";
    const fewest = visits === 1 ? FEWEST_ROWS.pointwise : FEWEST_ROWS.unfolded;
    if (direct || resultChannels >= fewest) return undefined;
    return `${String(resultChannels)} result channels a group use a source too seldom to lay it out`;
  },

  plan(operation, capabilities, config) {
    const vectors = describeVectors(operation);
    const refused = unsharedRefusal(operation.problem) ?? refusal(vectors, config, capabilities);
    if (refused !== undefined) return { refused };
    const unfold = vectors.direct ? [] : [unfoldDispatch(operation, vectors, capabilities)];
    return {
      solver: "vector-tile",
      config,
      dispatches: [
        ...unfold,
        tileDispatch(operation, vectors, config, capabilities),
        ...borderDispatches(operation, capabilities),
      ],
      scratchBytes: vectors.direct ? {} : { unfolded: unfoldedBytes(vectors) },
    };
  },
};

function unfoldDispatch(operation: ConvOperation, vectors: Vectors, capabilities: Capabilities): Dispatch {
  const { gather, channels, columns, rowVectors, visits } = vectors;
  const { phases, phaseCount, gridSize, gridPositions, constants, uniforms, bindings } = gather;
  const count = columns * channels * phaseCount * visits;
  return dispatch(unfoldKernel, {
    constants: { ...constantsFor(unfoldKernel, constants), ...pixelConstants(operation) },
    types: { ...elementTypes(operation), ...sourceTypes(operation) },
    uniforms: {
      sourceSize: uniforms.sourceSize,
      padBegin: uniforms.padBegin,
      phases,
      gridSize,
      gridPositions,
      rowVectors,
      phaseCount,
      channels,
      vectors: count,
      sourceStrides: uniforms.sourceStrides,
      ...pixelUniforms(operation),
    },
    bindings: { source: bindings.source, activated: bindings.activated, result: "unfolded" },
    workgroups: foldWorkgroups(Math.ceil(count / UNFOLD_THREADS), capabilities),
  });
}

function tileDispatch(
  operation: ConvOperation,
  { gather, columns, rowVectors, visits, direct }: Vectors,
  { threads, rows, vectors, shared }: SolverConfig,
  capabilities: Capabilities,
): Dispatch {
  const { phases, phaseCount, gridSize, gridPositions, resultChannels, sourceChannels, constants, uniforms } = gather;
  const { groups } = operation.problem;
  const rowBlocks = Math.ceil(resultChannels / rows);
  // Lanes that share loads must all be there.
  const workgroupThreads = dealtThreads(Math.ceil(columns / vectors), threads, shared);
  const columnBlocks = Math.ceil(columns / (workgroupThreads * vectors));
  const tasks = phaseCount * groups * rowBlocks * columnBlocks;
  const channelStride = rowVectors * (direct ? 1 : phaseCount * visits);
  const types = elementTypes(operation);
  const results = vectorResults(types.Element, phaseCount === 1 && liesInVectors(gather, gridPositions));
  return dispatch(kernel, {
    constants: {
      ...constantsFor(kernel, constants),
      MASKED: direct && operation.masked,
      THREADS: workgroupThreads,
      ROWS: rows,
      VECTORS: vectors,
      SHARED: shared,
      ...results.constants,
    },
    types: { ...types, ...results.types, SourceVector: direct && types.Element === "f16" ? "vec4h" : "vec4f" },
    uniforms: {
      resultSize: uniforms.resultSize,
      padBegin: uniforms.padBegin,
      phases,
      gridSize,
      gridPositions,
      rowVectors,
      columns,
      resultChannels,
      sourceChannels,
      groups,
      columnBlocks,
      rowBlocks,
      tasks,
      sourceStrides: [
        groups * sourceChannels * channelStride,
        sourceChannels * channelStride,
        channelStride,
        rowVectors,
      ],
      resultStrides: uniforms.resultStrides,
      weightStrides: uniforms.weightStrides,
      weightGroupStride: uniforms.weightGroupStride,
    },
    bindings: direct ? gather.bindings : { ...gather.bindings, source: "unfolded", activated: "unused" },
    workgroups: foldWorkgroups(tasks, capabilities),
  });
}
