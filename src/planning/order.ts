/**
 * The order in which a plan adds, as text. Two plans of one layer with the same order give the same bits, whatever their sizes:
 * they run the same kernels in the same steps. What is left out says how much there is and who computes it.
 */
import type { LayerAxis } from "../problem/axis.js";
import type { ConvProblem, Triple } from "../problem/problem.js";
import type { Dispatch, SolverPlan } from "./solver.js";

/**
 * Kernels that move elements, or convert them, and add nothing; and the one for what padding copied, which a part without an edge lacks:
 * it leaves elements alone that have no copies.
 */
const MOVES = new Set([
  ...["convert_half", "unpack_pixels", "unfold", "pack_weights", "pack_columns", "pack_positions"],
  "border_input_gradient",
]);

/** Constants that say which results a thread has, how it stores them, and whether it may leave tests of edges out. */
const SHAPES = new Set([
  ...["THREADS", "M_PER_THREAD", "N_PER_THREAD", "VECTORS_PER_THREAD", "COLUMNS"],
  ...["VECTOR_RESULT", "VECTOR_CHANNELS", "PACKED", "EDGES", "POINTWISE", "RANK", "PADDING_MODE", "PHASES_HEIGHT"],
  ...["PHASES_WIDTH", "CONTIGUOUS", "ALONG_CHANNELS", "RAGGED_M", "TAP_BITS", "TILE_POSITIONS", "VECTOR_SOURCE"],
  // How operands are read: float16 is unpacked, or converted before; channels or positions come in vectors.
  ...["HALVES", "M_VECTORS", "VECTOR_GRADIENT", "VECTOR_INPUT", "CHANNEL_VECTORS"],
  // Steps that a loop writes out; whether sums that are NaN are made once more.
  ...["UNROLL", "REPAIRS"],
  // The layer's own, or bounded by sizes.
  ...["FIRST_PARAMETER", "SECOND_PARAMETER"],
  ...["STRIDE_DEPTH", "STRIDE_HEIGHT", "STRIDE_WIDTH", "DILATION_DEPTH", "DILATION_HEIGHT", "DILATION_WIDTH"],
  ...["SOURCE_STEP_DEPTH", "SOURCE_STEP_HEIGHT", "SOURCE_STEP_WIDTH"],
]);

/** Uniforms that say how a sum is cut into steps, blocks and splits. Others are sizes and places. */
const WALK = new Set([
  ...["splitK", "k", "kPerSplit", "chunks", "chunkChannels", "chunkRows", "stepsPerBlock", "blocks", "blocksPerSplit"],
  ...["sourceChannels", "tapTiles", "tilesPerSplit"],
]);

/** Likewise of a weight gradient, whose sums walk over positions. */
const GRADIENT_WALK = new Set([
  ...["rows", "rowsPerSplit", "rowsPerBlock", "segments", "segmentsPerRow", "segmentLength", "segmentsPerSplit"],
  ...["segmentsPerBlock", "columnBlocks", "rowIterations", "chunkIterations", "steps"],
]);

const only = (values: object, isKept: (name: string) => boolean): [string, unknown][] =>
  Object.entries(values).filter(([name]) => isKept(name));

function stepOf({ kernel, constants, uniforms }: Dispatch): string {
  // Where sums have one block, nothing is added to earlier ones, in registers or elsewhere.
  const isOrder = (name: string): boolean =>
    !SHAPES.has(name) && (name !== "IN_REGISTERS" || constants.BLOCKED !== false);
  const isGradient = kernel.name.endsWith("weight_gradient");
  const isWalk = (name: string): boolean => WALK.has(name) || (isGradient && GRADIENT_WALK.has(name));
  return JSON.stringify([kernel.name, only(constants, isOrder), only(uniforms, isWalk)]);
}

/** The order of a plan's sums. Steps that are taken for one part after the other count once. */
export function orderOf({ solver, dispatches }: SolverPlan): string {
  const steps = dispatches.filter(({ kernel, repairs }) => repairs !== true && !MOVES.has(kernel.name)).map(stepOf);
  return [solver, ...new Set(steps)].join("\n");
}

/** How the spans of a layer's result must lie, an axis each. */
export interface Alignment {
  readonly units: readonly number[];
  readonly inBlocks: boolean;
}

/** A convolution, or the input gradient of one where it is transposed. */
interface Pass {
  readonly problem: ConvProblem;
  readonly transposed: boolean;
}

/** What a plan asks of the spans of parts: whole blocks of Winograd's, and whole phases of a transposed convolution. */
export function alignmentOf({ problem, transposed }: Pass, { solver, config }: SolverPlan): Alignment {
  const { tile = 1 } = config;
  const inBlocks = solver === "winograd";
  const unit = (axis: number): number => {
    if (inBlocks) return tile * problem.dilation[axis];
    return transposed ? problem.stride[axis] : 1;
  };
  const units: Triple = [unit(0), unit(1), unit(2)];
  return { units: units.slice(3 - problem.rank), inBlocks };
}

/** A layer along one of its own spatial axes. */
export function layerAxis({ problem, transposed }: Pass, axis: number, { units, inBlocks }: Alignment): LayerAxis {
  // Problems have three axes always.
  const at = 3 - problem.rank + axis;
  const [input, output] = transposed
    ? [problem.output[at], problem.input[at]]
    : [problem.input[at], problem.output[at]];
  return {
    input,
    output,
    kernel: problem.kernel[at],
    stride: problem.stride[at],
    dilation: problem.dilation[at],
    pads: [problem.padBegin[at], problem.padEnd[at]],
    transposed,
    paddingMode: problem.paddingMode,
    align: units[axis],
    inBlocks,
  };
}
