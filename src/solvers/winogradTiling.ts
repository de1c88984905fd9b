/**
 * What the passes by Winograd's minimal filtering have in common: how a layer is cut into tiles, which layers it takes,
 * and the transform of what is read in patches.
 */
import sourceKernel from "../../shaders/winograd_source.wgsl";
import type { Capabilities } from "../gpu/capabilities.js";
import type { ConvOperation } from "../operation.js";
import {
  type BindingSource,
  type Dispatch,
  dispatch,
  foldWorkgroups,
  type Scratch,
  type SolverConfig,
  type SolverPlan,
} from "../solver.js";
import { elementTypes, paddingConstant } from "./constants.js";
import { describeGather, type Gather } from "./gather.js";

export const THREADS = 64;
export const KERNEL = 3;
export const BYTES = 4;
/** F(2x2) errs less than a direct sum, and is exact on small integers; F(4x4) saves more. */
const TILES = [2, 4];
/** Columns of the product come in whole vectors. */
const VECTOR = 4;
/** Below this the transforms cost more than the products save (docs/performance-log.md). */
export const FEWEST_CHANNELS = 32;
export const FEWEST_TILES = 32;

/** A pass in tiles. */
export interface Tiling {
  readonly gather: Gather;
  readonly rows: number;
  readonly columns: number;
  /** Tiles of all samples, and elements from one row of the product to the next. */
  readonly tiles: number;
  readonly pitch: number;
  /** Products of a patch. */
  readonly products: number;
  readonly sourceChannels: number;
  readonly resultChannels: number;
}

/** Of a forward pass or an input gradient. */
export function describeTiling(operation: ConvOperation, tile: number): Tiling {
  const gather = describeGather(operation);
  const { batch, groups } = operation.problem;
  const [, height, width] = gather.uniforms.resultSize;
  const rows = Math.ceil(height / tile);
  const columns = Math.ceil(width / tile);
  const tiles = batch * rows * columns;
  return {
    gather,
    rows,
    columns,
    tiles,
    pitch: VECTOR * Math.ceil(tiles / VECTOR),
    products: (tile + KERNEL - 1) ** 2,
    sourceChannels: groups * gather.sourceChannels,
    resultChannels: groups * gather.resultChannels,
  };
}

/** Why a layer is none for Winograd's tiles; undefined when it is. */
export function shapeRefusal({ problem, dtype }: ConvOperation, { tile }: SolverConfig): string | undefined {
  const { rank, kernel, stride, dilation } = problem;
  if (!TILES.includes(tile)) return `tile is ${String(tile)}; expected 2 or 4`;
  if (rank !== 2 || kernel[1] !== KERNEL || kernel[2] !== KERNEL) {
    return `the filter is ${kernel.slice(-rank).join("x")}; Winograd takes 3x3`;
  }
  if (stride.some((s) => s !== 1)) return `stride is ${stride.slice(-rank).join("x")}; Winograd takes 1`;
  if (dilation.some((d) => d !== 1)) return `dilation is ${dilation.slice(-rank).join("x")}; Winograd takes 1`;
  if (tile === 4 && dtype === "float16") return "F(4x4) loses too much of float16; F(2x2) takes it";
  return undefined;
}

/** Why a device cannot hold what a plan keeps between its steps; undefined when it can. */
export function scratchRefusal(scratchBytes: Scratch, { limits }: Capabilities): string | undefined {
  const limit = limits.maxStorageBufferBindingSize;
  for (const [name, bytes] of Object.entries(scratchBytes)) {
    if (bytes > limit) return `${name} need ${String(bytes)} bytes; the device binds ${String(limit)}`;
  }
  return undefined;
}

/** Candidates: the larger tiles first where there are enough of them; float16 takes the smaller ones only. */
export function tileConfigs({ dtype }: ConvOperation, largeTiles: number): readonly SolverConfig[] {
  if (dtype === "float16") return [{ tile: 2 }];
  return largeTiles >= FEWEST_TILES ? [{ tile: 4 }, { tile: 2 }] : [{ tile: 2 }, { tile: 4 }];
}

/** Why the transforms would cost more than they save. `tiles` are those of F(2x2). */
export function tilesDiscouraged(fewestChannels: number, tiles: number, filters: string): string | undefined {
  if (fewestChannels < FEWEST_CHANNELS) {
    return `${String(fewestChannels)} channels a group are too few to pay for the transforms`;
  }
  return tiles < FEWEST_TILES ? `${String(tiles)} tiles are too few to pay for transforming the ${filters}` : undefined;
}

/** The dispatches of a product planned for tensors of its own, on the scratch memory that takes their places. */
export function rebind(
  { dispatches }: SolverPlan,
  places: Partial<Record<BindingSource, BindingSource>>,
): readonly Dispatch[] {
  return dispatches.map((step) => ({
    ...step,
    bindings: Object.fromEntries(
      Object.entries(step.bindings).map(([name, source]) => [name, places[source] ?? source] as const),
    ),
  }));
}

/** The transform of a forward pass' or input gradient's sources, in overlapping patches. */
export function sourceDispatch(
  operation: ConvOperation,
  tiling: Tiling,
  { tile }: SolverConfig,
  capabilities: Capabilities,
): Dispatch {
  const { gather, sourceChannels, tiles } = tiling;
  const [, sourceHeight, sourceWidth] = gather.uniforms.sourceSize;
  // An input gradient gathers with the filter flipped: its first tap is the last.
  const pad = gather.uniforms.padBegin.map((begin) => (gather.transposed ? KERNEL - 1 - begin : begin));
  return dispatch(sourceKernel, {
    constants: {
      TILE: tile,
      EXTENT: tile + KERNEL - 1,
      MASKED: operation.masked,
      PADDING_MODE: gather.transposed ? 0 : paddingConstant(operation.problem),
    },
    types: elementTypes(operation),
    uniforms: {
      ...gridUniforms(tiling),
      channels: sourceChannels,
      sourceHeight,
      sourceWidth,
      padTop: pad[1],
      padLeft: pad[2],
      sourceStrides: gather.uniforms.sourceStrides,
    },
    bindings: { source: gather.bindings.source, activated: gather.bindings.activated, result: "winograd sources" },
    workgroups: foldWorkgroups(Math.ceil((sourceChannels * tiles) / THREADS), capabilities),
  });
}

/** The transform of dy, tile by tile, for a weight gradient; `tiling` is the forward pass'. */
export function gradientDispatch(
  operation: ConvOperation,
  tiling: Tiling,
  { tile }: SolverConfig,
  capabilities: Capabilities,
): Dispatch {
  const { problem, masked } = operation;
  return dispatch(sourceKernel, {
    constants: { TILE: tile, EXTENT: tile, GRADIENTS: true, MASKED: masked, PADDING_MODE: 0 },
    types: elementTypes(operation),
    uniforms: {
      ...gridUniforms(tiling),
      channels: problem.outChannels,
      sourceHeight: problem.output[1],
      sourceWidth: problem.output[2],
      padTop: 0,
      padLeft: 0,
      sourceStrides: problem.outputStrides,
    },
    bindings: { source: "y", activated: masked ? "activated" : "unused", result: "winograd sums" },
    workgroups: foldWorkgroups(Math.ceil((problem.outChannels * tiling.tiles) / THREADS), capabilities),
  });
}

/** Uniform fields of the kernels that go tile by tile. */
export function gridUniforms({ tiles, pitch, rows, columns }: Tiling) {
  return { tiles, tilePitch: pitch, tileRows: rows, tileColumns: columns };
}
