/** Rolling windows, for few channels a group (depthwise layers): forward pass and input gradient. */
import kernel from "../../../shaders/rolling_window/rolling_window.wgsl";
import { product } from "../../problem/geometry.js";
import type { ConvOperation } from "../../problem/operation.js";
import type { Triple } from "../../problem/problem.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import {
  dealtEvenly,
  gatherTypes,
  planeConstants,
  preferring,
  unsharedRefusal,
  vectorResults,
  wholeWorkgroups,
} from "../shared/constants.js";
import { describeFlipped, describeGather, type Gather, liesInVectors } from "../shared/gather.js";
import {
  apartRefusal,
  byLoads,
  configRefusal,
  sizeRefusal,
  type WalkedFilter,
  type WindowShape,
  windowSize,
} from "./windows.js";

export interface RollingWindowConfig {
  /** Result channels that a thread computes. More use each source more often, and take registers. */
  readonly rows: number;
  /** Neighbouring results of a line that a thread computes. More share the sources under their filters. */
  readonly columns: number;
  /** Lines that a thread walks down. More keep the window longer, and leave fewer threads. */
  readonly lines: number;
}

const THREADS = 64;
/** On a GPU neighbouring threads should load neighbours, and write whole vectors. */
const COLUMNS = { scalars: [2, 4, 8], vectors: [4, 2, 8] };
const LINES = [64, 32, 16, 8, 4];
const MOST_ROWS = [4, 2, 1];
/** Source channels of a group whose windows a thread can hold. */
const MOST_SOURCE_CHANNELS = 4;

/** A pass as threads walk over it: an input gradient of a layer with a stride in phases, with the taps of one. */
interface Walk {
  readonly filter: WalkedFilter;
  /** From one result of a phase to the next. */
  readonly apart: Triple;
  readonly phases: Triple;
  /** Results of a phase along each axis. */
  readonly grid: Triple;
}

function describeWalk({ problem }: ConvOperation, { transposed, phases, gridSize }: Gather): Walk {
  const { rank, kernel, stride, dilation } = problem;
  const [apart, walked]: [Triple, Triple] = transposed ? [stride, [1, 1, 1]] : [[1, 1, 1], stride];
  const along = (axis: number): number => Math.ceil(kernel[axis] / apart[axis]);
  return {
    filter: { rank, kernel: [along(0), along(1), along(2)], stride: walked, dilation },
    apart,
    phases,
    grid: gridSize,
  };
}

/** Threads of a pass: one a walk. */
function threadsOf({ problem }: ConvOperation, gather: Gather, walk: Walk, config: RollingWindowConfig): number {
  const { rows, columns, lines } = config;
  const { batch, groups } = problem;
  const blocks = product(walk.phases) * Math.ceil(walk.grid[1] / lines) * Math.ceil(walk.grid[2] / columns);
  return batch * groups * Math.ceil(gather.resultChannels / rows) * blocks;
}

/** Multiply-adds of a pass, those of taps that a phase lacks with them. */
function multiplyAddsOf(operation: ConvOperation, gather: Gather, walk: Walk, config: RollingWindowConfig): number {
  const lineBlocks = Math.ceil(walk.grid[1] / config.lines);
  const threads = wholeWorkgroups(threadsOf(operation, gather, walk, config), THREADS);
  const resultsOfThread = (config.rows * config.columns * walk.grid[1]) / lineBlocks;
  return threads * resultsOfThread * gather.sourceChannels * product(walk.filter.kernel);
}

/** Whether each four results of a line lie in a vector. */
const inVectors = (gather: Gather, { apart, grid }: Walk): boolean =>
  product(apart) === 1 && liesInVectors(gather, grid[2]);

/** Sources that a thread loads for each line. */
function loadsForLine({ filter }: Walk, { sourceChannels }: Gather, columns: number): number {
  return sourceChannels * filter.stride[1] * windowSize(filter, columns).width;
}

function refusal(
  { problem }: ConvOperation,
  gather: Gather,
  walk: Walk,
  config: RollingWindowConfig,
): string | undefined {
  const { sourceChannels } = gather;
  const { rows, columns } = config;
  if (sourceChannels > MOST_SOURCE_CHANNELS) {
    return `${String(sourceChannels)} source channels a group; windows hold ${String(MOST_SOURCE_CHANNELS)} at most`;
  }
  const { rank, stride, dilation } = problem;
  if (walk.apart.some((a) => a > 1) && dilation.some((d) => d > 1)) {
    const [s, d] = [stride, dilation].map((triple) => triple.slice(-rank).join("x"));
    return `stride ${s} with dilation ${d}; windows take input gradients with one of the two`;
  }
  const { filter } = walk;
  const { height, width } = windowSize(filter, columns);
  const weights = product(filter.kernel) * sourceChannels;
  return (
    configRefusal(filter, config) ??
    // Strips take no input gradient with a stride.
    (product(walk.apart) > 1 ? undefined : apartRefusal(filter)) ??
    sizeRefusal([
      { what: "sources in a window", size: sourceChannels * height * width, most: "window" },
      { what: "sources loaded for a line", size: loadsForLine(walk, gather, columns), most: "loads" },
      { what: "weights kept", size: rows * weights, most: "weights" },
      { what: "steps written out", size: rows * columns * weights, most: "steps" },
    ])
  );
}

export const rollingWindow: Solver<RollingWindowConfig> = {
  name: "rolling-window",
  directions: ["forward", "inputGradient"],
  knobs: { rows: true, columns: true, lines: true },

  configs(operation, capabilities) {
    const gather = describeGather(operation);
    const walk = describeWalk(operation, gather);
    const even = dealtEvenly(gather.resultChannels, MOST_ROWS);
    const inOrder = inVectors(gather, walk) ? COLUMNS.vectors : COLUMNS.scalars;
    const shapes = inOrder
      .flatMap((columns) => even.map((rows) => ({ rows, columns })))
      .filter((shape) => refusal(operation, gather, walk, { ...shape, lines: 1 }) === undefined);
    // What is refused, with the reason.
    if (shapes.length === 0) return [{ rows: 1, columns: Math.min(...inOrder), lines: 1 }];
    const loadsOf = ({ columns }: WindowShape): number => loadsForLine(walk, gather, columns);
    const { busyThreads, loadCost } = policyOf(capabilities);
    const sorted = loadCost === undefined ? shapes : byLoads(shapes, walk.grid[2], loadsOf);
    const able = sorted.flatMap((shape) => LINES.map((lines) => ({ ...shape, lines })));
    const threads = (config: RollingWindowConfig): number => threadsOf(operation, gather, walk, config);
    const enough = Math.min(busyThreads, Math.max(...able.map(threads)));
    return preferring(able, (config) => threads(config) >= enough);
  },

  discouraged(operation, capabilities) {
    if (operation.pixels) return "it reads no pixels, and others do";
    const { resultChannels } = describeGather(operation);
    // With more, tiles in workgroup memory use each source more often.
    return resultChannels > policyOf(capabilities).rollingMostChannels
      ? `${String(resultChannels)} result channels a group do better in tiles`
      : undefined;
  },

  plan(operation, capabilities, config) {
    const { problem } = operation;
    const gather = describeGather(operation);
    const walk = describeWalk(operation, gather);
    const refused = unsharedRefusal(problem) ?? refusal(operation, gather, walk, config);
    if (refused !== undefined) return { refused };
    const { rows, columns, lines } = config;
    const { apart, phases, filter, grid } = walk;
    const flipped = describeFlipped(operation, gather);
    const { resultChannels, sourceChannels } = gather.uniforms;
    const walks = threadsOf(operation, gather, walk, config);
    const types = gatherTypes(operation);
    const vectors = vectorResults(types.Element, columns % 4 === 0 && inVectors(gather, walk));
    const step = dispatch(kernel, {
      constants: {
        ...planeConstants(problem),
        ...flipped.constants,
        STRIDE_HEIGHT: filter.stride[1],
        STRIDE_WIDTH: filter.stride[2],
        RESULT_STRIDE_HEIGHT: apart[1],
        RESULT_STRIDE_WIDTH: apart[2],
        PHASES_HEIGHT: phases[1],
        PHASES_WIDTH: phases[2],
        ROWS: rows,
        COLUMNS: columns,
        CHANNELS: sourceChannels,
        ...vectors.constants,
      },
      types: { ...types, ...vectors.types },
      uniforms: {
        ...flipped.uniforms,
        // Each phase has padding of its own.
        padBegin: product(apart) > 1 ? problem.padBegin : flipped.uniforms.padBegin,
        columnBlocks: Math.ceil(grid[2] / columns),
        lineBlocks: Math.ceil(grid[1] / lines),
        lines,
        rowBlocks: Math.ceil(resultChannels / rows),
        walks,
      },
      bindings: gather.bindings,
      workgroups: foldWorkgroups(Math.ceil(walks / THREADS), capabilities),
      multiplyAdds: multiplyAddsOf(operation, gather, walk, config),
    });
    const dispatches = [step, ...borderDispatches(operation, capabilities)];
    return { dispatches, scratchBytes: {} };
  },
};
