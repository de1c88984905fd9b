/**
 * Winograd's minimal filtering for 3x3 filters at stride 1: forward pass and input gradient, which is a forward pass
 * with the filter flipped. Not fused: filters and patches are transformed to memory, one matrix product for each of
 * the (TILE + 2)^2 products of a patch (a grouped 1x1 convolution, by another solver), results transformed back.
 *
 * F(2x2) takes 16 multiply-adds where 36 are due, F(4x4) 36 where 144 are, in exchange for rounding errors that grow
 * with the tile: webgpu-conv/reference's `winogradErrorBound` says how far. An infinity or NaN in a source spreads to
 * all results of its tile.
 */
import filterKernel from "../../shaders/winograd_filter.wgsl";
import resultKernel from "../../shaders/winograd_result.wgsl";
import sourceKernel from "../../shaders/winograd_source.wgsl";
import type { Capabilities } from "../gpu/capabilities.js";
import { type ConvOperation, NOTHING_FUSED } from "../operation.js";
import { makeProblem } from "../problem.js";
import {
  type BindingSource,
  type Dispatch,
  dispatch,
  foldWorkgroups,
  isRefusal,
  type Refusal,
  type Solver,
  type SolverConfig,
  type SolverPlan,
} from "../solver.js";
import { borderDispatches } from "./border.js";
import { activationConstants, elementTypes, paddingConstant, unsharedRefusal } from "./constants.js";
import { describeGather, type Gather } from "./gather.js";
import { implicitGemm } from "./implicitGemm.js";
import { registerTile } from "./registerTile.js";
import { vectorTile } from "./vectorTile.js";

const THREADS = 64;
const KERNEL = 3;
const BYTES = 4;
/** F(2x2) errs less than a direct sum, and is exact on small integers; F(4x4) saves more. */
const TILES = [2, 4];
/** Columns of the product come in whole vectors. */
const VECTOR = 4;
/** Below this the transforms cost more than the products save (docs/performance-log.md). */
const FEWEST_CHANNELS = 32;
const FEWEST_TILES = 32;

/** A pass in tiles. */
interface Tiling {
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

function describeTiling(operation: ConvOperation, tile: number): Tiling {
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

export const winograd: Solver = {
  name: "winograd",
  directions: ["forward", "inputGradient"],
  configs(operation) {
    if (operation.dtype === "float16") return [{ tile: 2 }];
    const enough = describeTiling(operation, 4).tiles >= FEWEST_TILES;
    return enough ? [{ tile: 4 }, { tile: 2 }] : [{ tile: 2 }, { tile: 4 }];
  },
  // F(4x4) multiplies by sixths.
  isExact: ({ tile }) => tile === 2,

  discouraged(operation) {
    const { sourceChannels, resultChannels } = describeGather(operation);
    const fewest = Math.min(sourceChannels, resultChannels);
    if (fewest < FEWEST_CHANNELS) return `${String(fewest)} channels a group are too few to pay for the transforms`;
    const { tiles } = describeTiling(operation, 2);
    return tiles < FEWEST_TILES ? `${String(tiles)} tiles are too few to pay for transforming the filters` : undefined;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? shapeRefusal(operation, config);
    if (refused !== undefined) return { refused };
    const tiling = describeTiling(operation, config.tile);
    const scratchBytes = {
      "winograd sources": BYTES * tiling.products * tiling.sourceChannels * tiling.pitch,
      "winograd filters": BYTES * tiling.products * tiling.resultChannels * tiling.gather.sourceChannels,
      "winograd sums": BYTES * tiling.products * tiling.resultChannels * tiling.pitch,
    };
    const limit = capabilities.limits.maxStorageBufferBindingSize;
    for (const [name, bytes] of Object.entries(scratchBytes)) {
      if (bytes > limit) return { refused: `${name} need ${String(bytes)} bytes; the device binds ${String(limit)}` };
    }
    const product = planProduct(operation, tiling, capabilities);
    if (isRefusal(product)) return product;
    const dispatches = [
      filterDispatch(operation, tiling, config, capabilities),
      sourceDispatch(operation, tiling, config, capabilities),
      ...product.dispatches,
      resultDispatch(operation, tiling, config, capabilities),
      ...borderDispatches(operation, capabilities),
    ];
    return { solver: "winograd", config, dispatches, scratchBytes };
  },
};

function shapeRefusal({ problem, dtype }: ConvOperation, { tile }: SolverConfig): string | undefined {
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

/** The products of all patches and filters: a 1x1 convolution with a group for each. */
function planProduct(operation: ConvOperation, tiling: Tiling, capabilities: Capabilities): SolverPlan | Refusal {
  const groups = tiling.products * operation.problem.groups;
  const inputShape = [1, tiling.products * tiling.sourceChannels, tiling.pitch];
  const weightShape = [tiling.products * tiling.resultChannels, tiling.gather.sourceChannels, 1];
  const problem = makeProblem(1, inputShape, weightShape, { groups });
  const product: ConvOperation = { ...NOTHING_FUSED, direction: "forward", problem, dtype: "float32" };
  const preferred = [implicitGemm, vectorTile];
  const solver =
    preferred.find(({ discouraged }) => discouraged?.(product, capabilities) === undefined) ?? registerTile;
  const [config] = solver.configs(product, capabilities);
  const plan = solver.plan(product, capabilities, config);
  if (isRefusal(plan)) return plan;
  const places: Partial<Record<BindingSource, BindingSource>> = {
    x: "winograd sources",
    w: "winograd filters",
    y: "winograd sums",
  };
  const rebind = (step: Dispatch): Dispatch => ({
    ...step,
    bindings: Object.fromEntries(
      Object.entries(step.bindings).map(([name, source]) => [name, places[source] ?? source] as const),
    ),
  });
  return { ...plan, dispatches: plan.dispatches.map(rebind) };
}

type MakeDispatch = (
  operation: ConvOperation,
  tiling: Tiling,
  config: SolverConfig,
  capabilities: Capabilities,
) => Dispatch;

const filterDispatch: MakeDispatch = (operation, { gather, resultChannels }, { tile }, capabilities) => {
  const filters = resultChannels * gather.sourceChannels;
  return dispatch(filterKernel, {
    constants: { TILE: tile, TRANSPOSED: gather.transposed },
    types: elementTypes(operation),
    uniforms: {
      filters,
      resultChannels: gather.resultChannels,
      sourceChannels: gather.sourceChannels,
      weightStrides: gather.uniforms.weightStrides,
      weightGroupStride: gather.uniforms.weightGroupStride,
    },
    bindings: { weight: "w", result: "winograd filters" },
    workgroups: foldWorkgroups(Math.ceil(filters / THREADS), capabilities),
  });
};

const sourceDispatch: MakeDispatch = (operation, tiling, { tile }, capabilities) => {
  const { gather, tiles, pitch, rows, columns, sourceChannels } = tiling;
  const [, sourceHeight, sourceWidth] = gather.uniforms.sourceSize;
  // An input gradient gathers with the filter flipped: its first tap is the last.
  const pad = gather.uniforms.padBegin.map((begin) => (gather.transposed ? KERNEL - 1 - begin : begin));
  return dispatch(sourceKernel, {
    constants: {
      TILE: tile,
      MASKED: operation.masked,
      PADDING_MODE: gather.transposed ? 0 : paddingConstant(operation.problem),
    },
    types: elementTypes(operation),
    uniforms: {
      tiles,
      tilePitch: pitch,
      tileRows: rows,
      tileColumns: columns,
      channels: sourceChannels,
      sourceHeight,
      sourceWidth,
      padTop: pad[1],
      padLeft: pad[2],
      sourceStrides: gather.uniforms.sourceStrides,
    },
    bindings: {
      source: gather.bindings.source,
      activated: gather.bindings.activated,
      result: "winograd sources",
    },
    workgroups: foldWorkgroups(Math.ceil((sourceChannels * tiles) / THREADS), capabilities),
  });
};

const resultDispatch: MakeDispatch = (operation, tiling, { tile }, capabilities) => {
  const { gather, tiles, pitch, rows, columns, resultChannels } = tiling;
  const [, resultHeight, resultWidth] = gather.uniforms.resultSize;
  const { bias, residual, result } = gather.bindings;
  return dispatch(resultKernel, {
    constants: {
      TILE: tile,
      HAS_BIAS: operation.bias,
      HAS_RESIDUAL: operation.residual,
      ...activationConstants(operation),
    },
    types: elementTypes(operation),
    uniforms: {
      tiles,
      tilePitch: pitch,
      tileRows: rows,
      tileColumns: columns,
      channels: resultChannels,
      resultHeight,
      resultWidth,
      resultStrides: gather.uniforms.resultStrides,
    },
    bindings: { sums: "winograd sums", bias, residual, result },
    workgroups: foldWorkgroups(Math.ceil((resultChannels * tiles) / THREADS), capabilities),
  });
};
