/** Rolling windows, for few channels a group (depthwise layers): forward pass, and input gradient at stride 1. */
import kernel from "../../shaders/rolling_window.wgsl";
import type { ConvOperation } from "../operation.js";
import { dispatch, foldWorkgroups, type Solver, type SolverConfig } from "../solver.js";
import { borderDispatches } from "./border.js";
import { dealtEvenly, elementTypes, enoughThreads, planeConstants, preferring, unsharedRefusal } from "./constants.js";
import { describeFlipped, describeGather, type Gather } from "./gather.js";
import { byLoads, sizeRefusal, windowRefusal, type WindowShape, windowSize } from "./windows.js";

const THREADS = 64;
/** Few first: on a GPU neighbouring threads should load neighbours. */
const COLUMNS = [2, 4, 8];
const LINES = [64, 32, 16, 8, 4];
const MOST_ROWS = [4, 2, 1];
/** With more result channels a group, tiles in workgroup memory use each source more often. */
const MOST_CHANNELS = 8;
const MOST_SOURCE_CHANNELS = 4;

/** Threads of a pass: one a walk. */
function threadsOf({ problem }: ConvOperation, { uniforms }: Gather, { rows, columns, lines }: SolverConfig): number {
  const { resultSize, resultChannels } = uniforms;
  const { batch, groups } = problem;
  const blocks = Math.ceil(resultSize[1] / lines) * Math.ceil(resultSize[2] / columns);
  return batch * groups * Math.ceil(resultChannels / rows) * blocks;
}

/** Sources that a thread loads for each line. */
function loadsForLine({ problem }: ConvOperation, { sourceChannels }: Gather, columns: number): number {
  return sourceChannels * problem.stride[1] * windowSize(problem, columns).width;
}

function refusal(operation: ConvOperation, gather: Gather, config: SolverConfig): string | undefined {
  const { problem, direction } = operation;
  const { sourceChannels } = gather;
  const { rows, columns } = config;
  if (sourceChannels > MOST_SOURCE_CHANNELS) {
    return `${String(sourceChannels)} source channels a group; windows hold ${String(MOST_SOURCE_CHANNELS)} at most`;
  }
  if (direction === "inputGradient" && problem.stride.some((s) => s !== 1)) {
    return `stride is ${problem.stride.slice(-problem.rank).join("x")}; windows take input gradients at stride 1`;
  }
  const { height, width } = windowSize(problem, columns);
  return (
    windowRefusal(problem, config) ??
    sizeRefusal([
      { what: "sources in a window", size: sourceChannels * height * width, most: "window" },
      { what: "sources loaded for a line", size: loadsForLine(operation, gather, columns), most: "loads" },
      { what: "weights kept", size: rows * problem.taps * sourceChannels, most: "weights" },
      { what: "steps written out", size: rows * columns * problem.taps * sourceChannels, most: "steps" },
    ])
  );
}

export const rollingWindow: Solver = {
  name: "rolling-window",
  directions: ["forward", "inputGradient"],

  configs(operation, capabilities) {
    const gather = describeGather(operation);
    const even = dealtEvenly(gather.resultChannels, MOST_ROWS);
    const shapes = COLUMNS.flatMap((columns) => even.map((rows) => ({ rows, columns }))).filter(
      (shape) => refusal(operation, gather, { ...shape, lines: 1 }) === undefined,
    );
    if (shapes.length === 0) return [{ rows: 1, columns: 1, lines: 1 }];
    // Software devices load an element at a time.
    const loadsOf = ({ columns }: WindowShape): number => loadsForLine(operation, gather, columns);
    const sorted = capabilities.software ? byLoads(shapes, gather.uniforms.resultSize[2], loadsOf) : shapes;
    const able = sorted.flatMap((shape) => LINES.map((lines) => ({ ...shape, lines })));
    const threads = (config: SolverConfig): number => threadsOf(operation, gather, config);
    const enough = Math.min(enoughThreads(capabilities), Math.max(...able.map(threads)));
    return preferring(able, (config) => threads(config) >= enough);
  },

  discouraged(operation, { software }) {
    if (operation.pixels) return "it reads no pixels, and others do";
    const { resultChannels } = describeGather(operation);
    return resultChannels > MOST_CHANNELS && !software
      ? `${String(resultChannels)} result channels a group do better in tiles`
      : undefined;
  },

  plan(operation, capabilities, config) {
    const { problem } = operation;
    const gather = describeGather(operation);
    const refused = unsharedRefusal(problem) ?? refusal(operation, gather, config);
    if (refused !== undefined) return { refused };
    const { rows, columns, lines } = config;
    const flipped = describeFlipped(operation, gather);
    const { resultSize, resultChannels, sourceChannels } = gather.uniforms;
    const walks = threadsOf(operation, gather, config);
    const step = dispatch(kernel, {
      constants: {
        ...planeConstants(problem),
        ...flipped.constants,
        ROWS: rows,
        COLUMNS: columns,
        CHANNELS: sourceChannels,
      },
      types: elementTypes(operation),
      uniforms: {
        ...flipped.uniforms,
        columnBlocks: Math.ceil(resultSize[2] / columns),
        lineBlocks: Math.ceil(resultSize[1] / lines),
        lines,
        rowBlocks: Math.ceil(resultChannels / rows),
        walks,
      },
      bindings: gather.bindings,
      workgroups: foldWorkgroups(Math.ceil(walks / THREADS), capabilities),
    });
    const dispatches = [step, ...borderDispatches(operation, capabilities)];
    return { solver: "rolling-window", config, dispatches, scratchBytes: {} };
  },
};
