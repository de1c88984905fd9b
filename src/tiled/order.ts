/**
 * The order in which a plan adds, as text. Two plans of one layer with the same order give the same bits, whatever their sizes:
 * they run the same kernels in the same steps. What is left out says how much there is and who computes it.
 */
import type { Dispatch, SolverPlan } from "../planning/solver.js";

/** Kernels that move elements, or convert them, and add nothing. */
const MOVES = new Set(["convert_half", "unpack_pixels", "unfold", "pack_weights", "pack_columns", "pack_positions"]);

/** Constants that say which results a thread has, how it stores them, and whether it may leave tests of edges out. */
const SHAPES = new Set([
  ...["THREADS", "M_PER_THREAD", "N_PER_THREAD", "VECTORS_PER_THREAD", "COLUMNS"],
  ...["VECTOR_RESULT", "VECTOR_CHANNELS", "PACKED", "EDGES", "POINTWISE", "RANK", "PADDING_MODE", "PHASES_HEIGHT"],
  ...["PHASES_WIDTH", "CONTIGUOUS", "ALONG_CHANNELS", "RAGGED_M", "TAP_BITS", "TILE_POSITIONS", "VECTOR_SOURCE"],
  // The layer's own, or bounded by sizes.
  ...["STRIDE_DEPTH", "STRIDE_HEIGHT", "STRIDE_WIDTH", "DILATION_DEPTH", "DILATION_HEIGHT", "DILATION_WIDTH"],
  ...["SOURCE_STEP_DEPTH", "SOURCE_STEP_HEIGHT", "SOURCE_STEP_WIDTH"],
]);

/** Uniforms that say how a sum is cut into steps, blocks and splits. Others are sizes and places. */
const WALK = new Set([
  ...["splitK", "k", "kPerSplit", "chunks", "chunkChannels", "chunkRows", "stepsPerBlock", "blocks", "blocksPerSplit"],
  ...["sourceChannels", "tapTiles", "tilesPerSplit"],
]);

const only = (values: object, isKept: (name: string) => boolean): [string, unknown][] =>
  Object.entries(values).filter(([name]) => isKept(name));

function stepOf({ kernel, constants, uniforms }: Dispatch): string {
  // Where sums have one block, nothing is added to earlier ones, in registers or elsewhere.
  const isOrder = (name: string): boolean =>
    !SHAPES.has(name) && (name !== "IN_REGISTERS" || constants.BLOCKED !== false);
  return JSON.stringify([kernel.name, only(constants, isOrder), only(uniforms, (name) => WALK.has(name))]);
}

/** The order of a plan's sums. Steps that are taken for one part after the other count once. */
export function orderOf({ solver, dispatches }: SolverPlan): string {
  const steps = dispatches.filter(({ kernel }) => !MOVES.has(kernel.name)).map(stepOf);
  return [solver, ...new Set(steps)].join("\n");
}
