/**
 * Whether Winograd's tiles pay for a layer, in which F, and with which tile of the product. GPUs are asked for predicted times
 * (planning/tileModel.ts, planning/scalarModel.ts) of transforms and products against those of direct sums by the same solvers; software
 * devices have rules of their own.
 */
import type { Capabilities } from "../../planning/capabilities.js";
import type { DeviceRecord } from "../../planning/devices.js";
import { policyOf } from "../../planning/policy.js";
import { remembered } from "../../planning/remembered.js";
import { predictStream } from "../../planning/tileModel.js";
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import type { ConvOperation } from "../../problem/operation.js";
import { type BindingSource, isRefusal, type ListedSolver, type Refusal, type Steps } from "../../planning/solver.js";
import type { KnownOfProduct } from "../scalarTile/scalarChoice.js";
import { unsharedRefusal } from "../shared/constants.js";
import {
  BYTES,
  cutTiles,
  filterBytes,
  isExact,
  isScalar,
  mostPartialBytes,
  type ProductConfig,
  productConfig,
  rebind,
  shapeRefusal,
  tileBytes,
  tileConfigs,
  tilesDiscouraged,
  type Tiling,
  TOO_COARSE,
  type WinogradConfig,
} from "./winogradTiling.js";

/** A transform between a tensor and scratch memory, tile by tile. */
interface Transform {
  readonly channels: number;
  /** Of the tensor. */
  readonly elements: number;
}

/** What the choice asks of a pass. */
export interface WinogradPass {
  readonly tilingOf: (operation: ConvOperation, tile: number) => Tiling;
  /** The product of so many tiles. */
  readonly productOf: (operation: ConvOperation, tiling: Tiling, tiles: number) => ConvOperation;
  /** Tiles for an operation, the fastest first; none where neither solver should be taken. */
  readonly ranked: (
    operation: ConvOperation,
    capabilities: Capabilities,
    known?: KnownOfProduct,
  ) => readonly RankedProduct[];
  /** Implicit GEMM; scalar tiles, where they can; and others for the product where neither should be taken, in their order. */
  readonly gemm: ListedSolver;
  readonly scalar?: ListedSolver;
  readonly others: readonly ListedSolver[];
  /** Scratch memory that is what for the product. */
  readonly places: Partial<Record<BindingSource, BindingSource>>;
  readonly transforms: (operation: ConvOperation, tiling: Tiling) => readonly Transform[];
  /** What is transformed for each filter. */
  readonly filters: string;
}

/** A tile with the clocks that are predicted for it. */
export interface RankedProduct {
  readonly config: ProductConfig;
  readonly clocks: number;
}

/** Instructions of a transform for each element of a patch: 13 to 24 by the compilers of RDNA2, GCN and Xe-LP. */
const INSTRUCTIONS = 18;
/** Candidates for each F, and those of the other kind of tile, if the fastest are of one. */
const MOST_PRODUCTS = 2;
/** Times that are as good as equal: errors are larger than a direct sum's, and so is the memory that is taken. */
const LEAST_GAIN = 1.1;

/** An F with the tiles of its product, the fastest first. */
interface Predicted {
  readonly configs: readonly WinogradConfig[];
  readonly microseconds: number;
}

const launchesOf = ({ splitK = 1 }: ProductConfig): number => (splitK > 1 ? 2 : 1);

/** The solver that a tile belongs to. */
const solverOf = ({ gemm, scalar = gemm }: WinogradPass, config: ProductConfig): ListedSolver =>
  isScalar(config) ? scalar : gemm;

/** Whether scratch memory fits in the last cache. */
const staysCached = (tiling: Tiling, chunkTiles: number, { cacheBytes }: DeviceRecord): boolean =>
  (tiling.sumsInParts ? 2 : 1) * filterBytes(tiling) + chunkTiles * tileBytes(tiling) <= cacheBytes;

/** Tiles for the product of so many tiles, the fastest first; none where another solver should take it. */
export function rankedProducts(
  pass: WinogradPass,
  operation: ConvOperation,
  tiling: Tiling,
  chunkTiles: number,
  capabilities: Capabilities,
): readonly RankedProduct[] {
  const cached = staysCached(tiling, chunkTiles, policyOf(capabilities).device);
  const known = { cached, mostPartialBytes: mostPartialBytes(capabilities) };
  return pass.ranked(pass.productOf(operation, tiling, chunkTiles), capabilities, known);
}

/** The fastest product that has the knobs which are set. A tile that is set in whole needs none. */
function baseOf(ranked: () => readonly RankedProduct[], wanted: ProductConfig, pass: WinogradPass): ProductConfig {
  const isWhole = Object.entries(solverOf(pass, wanted).knobs).every(([name, must]) => !must || name in wanted);
  if (isWhole) return {};
  const hasKnobs = ({ config }: RankedProduct): boolean =>
    Object.keys(wanted).every((name) => name in solverOf(pass, config).knobs);
  return ranked().find(hasKnobs)?.config ?? {};
}

/** The plan of a product, and the tile that it is in; no knobs where another solver chose it. */
export interface PlannedProduct extends Steps {
  readonly tile: ProductConfig;
}

/**
 * The plan of the product of so many tiles: in the tile that the configuration sets, else in the fastest one, and where no such tile
 * should be taken by another solver.
 */
export function planProduct(
  pass: WinogradPass,
  operation: ConvOperation,
  tiling: Tiling,
  chunkTiles: number,
  config: WinogradConfig,
  capabilities: Capabilities,
): PlannedProduct | Refusal {
  const product = pass.productOf(operation, tiling, chunkTiles);
  const wanted = productConfig(config);
  const ranked = () => rankedProducts(pass, operation, tiling, chunkTiles, capabilities);
  const tile = { ...baseOf(ranked, wanted, pass), ...wanted };
  const outcome =
    Object.keys(tile).length > 0
      ? solverOf(pass, tile).plan(product, capabilities, tile)
      : planDefault(pass.others, product, capabilities);
  return isRefusal(outcome) ? outcome : { ...outcome, tile, dispatches: rebind(outcome, pass.places) };
}

function planDefault(
  solvers: readonly ListedSolver[],
  product: ConvOperation,
  capabilities: Capabilities,
): Steps | Refusal {
  const able =
    solvers.find((solver) => solver.discouraged?.(product, capabilities) === undefined) ?? solvers[solvers.length - 1];
  const [config] = able.configs(product, capabilities);
  return able.plan(product, capabilities, config);
}

/** The fastest tiles, with one of each kind among them. */
function candidatesOf(products: readonly RankedProduct[]): readonly RankedProduct[] {
  const fastest = products.slice(0, MOST_PRODUCTS);
  const others = products.filter(({ config }) => isScalar(config) !== isScalar(products[0].config));
  return [...new Set([...fastest, ...others.slice(0, 1)])];
}

function predict(
  pass: WinogradPass,
  operation: ConvOperation,
  { tile }: WinogradConfig,
  capabilities: Capabilities,
): Predicted | undefined {
  const { device } = policyOf(capabilities);
  const tiling = pass.tilingOf(operation, tile);
  const { chunkTiles, chunks } = cutTiles(tiling, {}, capabilities);
  const cached = staysCached(tiling, chunkTiles, device);
  const products = rankedProducts(pass, operation, tiling, chunkTiles, capabilities);
  if (products.length === 0) return undefined;
  const { products: elements, sumsInParts } = tiling;
  /** Of threads that each move as many elements of scratch memory, and some bytes of a tensor together. */
  const clocksOf = (threads: number, moved: number, tensorBytes: number): number => {
    const scratchBytes = BYTES * moved * threads;
    const [memoryBytes, cachedBytes] = cached ? [tensorBytes, scratchBytes] : [tensorBytes + scratchBytes, 0];
    return predictStream({ threads, instructions: INSTRUCTIONS * moved, memoryBytes, cachedBytes }, device);
  };
  const tensorBytes = (count: number): number => BYTES_PER_ELEMENT[operation.dtype] * count;
  const transforms = pass
    .transforms(operation, tiling)
    .map((one) => clocksOf(one.channels * chunkTiles, elements, tensorBytes(one.elements / chunks.length)));
  const filters = filterBytes(tiling) / BYTES / elements;
  // A chunk's sums are read, and added to what is read and written.
  const isAdded = sumsInParts && chunks.length > 1;
  const adding = isAdded ? clocksOf(filters * elements, 3, 0) : 0;
  const each = transforms.reduce((sum, clocks) => sum + clocks, products[0].clocks + adding);
  const back = sumsInParts ? clocksOf(filters, elements, tensorBytes(filters * operation.problem.taps)) : 0;
  const launches = chunks.length * (transforms.length + (isAdded ? 2 : launchesOf(products[0].config)));
  return {
    configs: candidatesOf(products).map(({ config }) => ({ tile, ...config })),
    microseconds:
      (chunks.length * each + back) / device.megahertz + (launches + Number(sumsInParts)) * device.launchMicroseconds,
  };
}

/** The F of a layer by predicted time, the fastest first; none where times are not predicted. */
const predictions = remembered(predictTimes);

function predictTimes(operation: ConvOperation, capabilities: Capabilities, pass: WinogradPass): readonly Predicted[] {
  const policy = policyOf(capabilities);
  const tilingOf = (tile: number): Tiling => pass.tilingOf(operation, tile);
  if (!policy.workgroupMemoryPays || unsharedRefusal(operation.problem) !== undefined) return [];
  return tileConfigs(operation, tilingOf, policy)
    .filter((config) => shapeRefusal(operation, config) === undefined)
    .flatMap((config) => predict(pass, operation, config, capabilities) ?? [])
    .sort((one, other) => one.microseconds - other.microseconds);
}

/** Candidates, the default first. */
export function winogradConfigs(
  pass: WinogradPass,
  operation: ConvOperation,
  capabilities: Capabilities,
): readonly WinogradConfig[] {
  const predicted = predictions(operation, capabilities, pass).flatMap(({ configs }) => configs);
  if (predicted.length > 0) return predicted;
  return tileConfigs(operation, (tile) => pass.tilingOf(operation, tile), policyOf(capabilities));
}

/** Why Winograd's tiles would not pay; undefined where they would. */
export function winogradDiscouraged(
  pass: WinogradPass,
  operation: ConvOperation,
  fewestChannels: number,
  capabilities: Capabilities,
): string | undefined {
  const policy = policyOf(capabilities);
  if (fewestChannels < policy.winogradFewestChannels) {
    return `${String(fewestChannels)} channels a group are too few to pay for the transforms`;
  }
  const tilingOf = (tile: number): Tiling => pass.tilingOf(operation, tile);
  const [best] = predictions(operation, capabilities, pass);
  const [config] = (best as Predicted | undefined)?.configs ?? tileConfigs(operation, tilingOf, policy);
  // The plan cannot say this: where shaders have no float16 it is of float32.
  if (operation.dtype === "float16" && !isExact(config, operation)) return TOO_COARSE;
  const [direct] = pass.ranked(operation, capabilities);
  if ((best as Predicted | undefined) === undefined || (direct as RankedProduct | undefined) === undefined) {
    return tilesDiscouraged(operation, config, tilingOf, pass.filters, policy);
  }
  const { megahertz, launchMicroseconds } = policy.device;
  const directly = direct.clocks / megahertz + launchesOf(direct.config) * launchMicroseconds;
  return LEAST_GAIN * best.microseconds > directly
    ? `its transforms and products are predicted to take ${best.microseconds.toFixed(0)} microseconds, direct sums ${directly.toFixed(0)}`
    : undefined;
}
