/** What both passes by Winograd's minimal filtering share: how a layer is cut into tiles, and which layers they take. */
import type { Knobs } from "../../planning/knobs.js";
import type { DevicePolicy } from "../../planning/policy.js";
import type { ConvOperation } from "../../problem/operation.js";
import type { BindingSource, Dispatch, Steps } from "../../planning/solver.js";
import { describeGather, type Gather } from "../shared/gather.js";

export interface WinogradConfig {
  /**
   * Results of a tile along each axis: F(2x2) or F(4x4). Larger ones take fewer multiply-adds for each result. They round
   * more, and fill the last tiles of a map worse.
   */
  readonly tile: number;
}

export const WINOGRAD_KNOBS: Knobs<WinogradConfig> = { tile: true };

export const THREADS = 64;
export const BYTES = 4;
/** By the filter's extent. F(2x2, 3x3) errs less than a direct sum, and is exact on small integers; F(4x4) saves more. */
const TILES: Readonly<Record<number, readonly number[]>> = { 3: [2, 4], 5: [2] };
/** Patches of 4 elements along an axis multiply by halves, those of 6 by sixths. */
const EXACT_PATCH = 4;
const TOO_COARSE = "patches of 6x6 lose too much of float16; F(2x2, 3x3) takes it";
/** N of the product comes in whole vectors. */
const VECTOR = 4;
/** Tiles that a product takes at a time. Fewer cost as much. */
const LANES = 32;

/** A pass in tiles. With a dilation, elements of a tile are dilated too, and tiles of all phases make up the grid. */
export interface Tiling {
  readonly gather: Gather;
  /** Tiles of a sample: rows, columns. */
  readonly grid: readonly [number, number];
  readonly phases: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** N of the product: tiles of all samples; and elements from one m or k to the next. */
  readonly tiles: number;
  readonly pitch: number;
  /** N of the product as it is computed: tiles, and lanes without one. */
  readonly lanes: number;
  /** Products of a patch. */
  readonly products: number;
  readonly sourceChannels: number;
  readonly resultChannels: number;
}

/** Elements of a patch along an axis. */
export const patchOf = ({ kernel }: ConvOperation["problem"], tile: number): number => tile + kernel[2] - 1;

/** Tiles of a forward pass or an input gradient. */
export function describeTiling(operation: ConvOperation, tile: number): Tiling {
  const gather = describeGather(operation);
  const { batch, groups, dilation } = operation.problem;
  const size = gather.uniforms.resultSize;
  const phasesAlong = (axis: number): number => Math.min(dilation[axis], size[axis]);
  const tilesAlong = (axis: number): number => {
    const phases = phasesAlong(axis);
    return phases * Math.ceil(Math.ceil(size[axis] / phases) / tile);
  };
  const grid = [tilesAlong(1), tilesAlong(2)] as const;
  const tiles = batch * grid[0] * grid[1];
  return {
    gather,
    grid,
    phases: [phasesAlong(1), phasesAlong(2)],
    dilation: [dilation[1], dilation[2]],
    tiles,
    pitch: VECTOR * Math.ceil(tiles / VECTOR),
    lanes: LANES * Math.ceil(tiles / LANES),
    products: patchOf(operation.problem, tile) ** 2,
    sourceChannels: groups * gather.sourceChannels,
    resultChannels: groups * gather.resultChannels,
  };
}

/** Multiply-adds that the products of a layer need. Results beyond the edge of a tile do not count. */
export const neededMultiplyAdds = (
  { problem }: ConvOperation,
  { products }: Tiling,
  { tile }: WinogradConfig,
): number => (problem.multiplyAdds * products) / (tile ** 2 * problem.taps);

/** Constants of the kernels: which transforms. */
export const transformConstants = ({ problem }: ConvOperation, { tile }: WinogradConfig) => ({
  TILE: tile,
  KERNEL: problem.kernel[2],
});

/** Whether small integers come out exact. */
export const isExact = ({ tile }: WinogradConfig, { problem }: ConvOperation): boolean =>
  patchOf(problem, tile) === EXACT_PATCH;

/** Why Winograd's tiles cannot take a layer; undefined when they can. */
export function shapeRefusal({ problem, dtype }: ConvOperation, { tile }: WinogradConfig): string | undefined {
  const { rank, kernel, stride } = problem;
  if (rank !== 2 || kernel[1] !== kernel[2] || !(kernel[2] in TILES)) {
    return `the filter is ${kernel.slice(-rank).join("x")}; Winograd takes 3x3 and 5x5`;
  }
  const tiles = TILES[kernel[2]];
  if (!tiles.includes(tile)) return `tile is ${String(tile)}; expected ${tiles.join(" or ")}`;
  if (stride.some((s) => s !== 1)) return `stride is ${stride.slice(-rank).join("x")}; Winograd takes 1`;
  return dtype === "float16" && patchOf(problem, tile) !== EXACT_PATCH ? TOO_COARSE : undefined;
}

/**
 * Candidates: those with fewer products first, where there are enough tiles; float16 takes the exact ones only.
 *
 * @param tilingOf of the pass, for a tile
 */
export function tileConfigs(
  operation: ConvOperation,
  tilingOf: (tile: number) => Tiling,
  { winogradFewestTiles }: DevicePolicy,
): readonly WinogradConfig[] {
  const able = (TILES[operation.problem.kernel[2]] as readonly number[] | undefined) ?? TILES[3];
  const cost = ({ tile }: WinogradConfig): number => {
    const { tiles, lanes, products } = tilingOf(tile);
    return tile > able[0] && tiles < winogradFewestTiles ? Infinity : lanes * products;
  };
  const configs = able.map((tile) => ({ tile })).sort((one, other) => cost(one) - cost(other));
  const exact = configs.filter((config) => isExact(config, operation));
  return operation.dtype === "float16" && exact.length > 0 ? exact : configs;
}

/** Why the transforms would cost more than they save; undefined when they would not. */
export function tilesDiscouraged(
  operation: ConvOperation,
  fewestChannels: number,
  tilingOf: (tile: number) => Tiling,
  filters: string,
  policy: DevicePolicy,
): string | undefined {
  if (fewestChannels < policy.winogradFewestChannels) {
    return `${String(fewestChannels)} channels a group are too few to pay for the transforms`;
  }
  const { tiles } = tilingOf(2);
  if (tiles < policy.winogradFewestTiles)
    return `${String(tiles)} tiles are too few to pay for transforming the ${filters}`;
  const [best] = tileConfigs(operation, tilingOf, policy);
  // The plan cannot say this: where shaders have no float16 it is of float32.
  if (operation.dtype === "float16" && !isExact(best, operation)) return TOO_COARSE;
  const { products, lanes } = tilingOf(best.tile);
  const { batch, outputPositions, taps } = operation.problem;
  const share = (products * lanes) / (batch * outputPositions * taps);
  return share > policy.winogradMostProducts
    ? `its tiles, hardly filled, take ${share.toFixed(2)} times the multiply-adds; at most ${String(policy.winogradMostProducts)}`
    : undefined;
}

/** The dispatches of a product planned for tensors of its own, on the scratch memory that takes their places. */
export function rebind(
  { dispatches }: Steps,
  places: Partial<Record<BindingSource, BindingSource>>,
): readonly Dispatch[] {
  return dispatches.map((step) => ({
    ...step,
    bindings: Object.fromEntries(
      Object.entries(step.bindings).map(([name, source]) => [name, places[source] ?? source] as const),
    ),
  }));
}

/** Uniform fields of the kernels that go tile by tile. */
export function gridUniforms({ tiles, pitch, grid, phases, dilation }: Tiling) {
  return { tiles, tilePitch: pitch, tileGrid: grid, phases, dilation };
}
