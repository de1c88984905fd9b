/** Register-tiled weight gradient without workgroup memory. Takes every problem. */
import kernel from "../../shaders/register_tile_weight_gradient.wgsl";
import { dispatch, foldWorkgroups, type Solver, type SolverConfig } from "../solver.js";
import { elementTypes, powerOfTwoAtLeast, registerTileRefusal, unsharedRefusal } from "./constants.js";
import {
  chooseSplits,
  gradientBindings,
  gradientConstants,
  gradientMatrix,
  gradientUniforms,
  twoStagePlan,
  weightSums,
} from "./partials.js";

const TILES: readonly SolverConfig[] = [
  { threads: 64, rows: 8, columns: 8 },
  { threads: 64, rows: 8, columns: 4 },
  { threads: 64, rows: 4, columns: 4 },
  { threads: 64, rows: 2, columns: 4 },
  { threads: 64, rows: 1, columns: 4 },
];

/** Output positions walked without a division; longer rows are cut. */
const LONGEST_SEGMENT = 256;
/** Terms below which a split is not worth its partial. */
const LEAST_DEPTH = 64;

export const registerTileWeightGradient: Solver = {
  name: "register-tile",
  directions: ["weightGradient"],

  configs(operation) {
    const { outChannelsPerGroup } = operation.problem;
    const fitting = TILES.filter(({ rows }) => rows < 2 * outChannelsPerGroup);
    return fitting;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? registerTileRefusal(config, capabilities);
    if (refused !== undefined) return { refused };
    const { threads, rows, columns } = config;
    const { problem } = operation;
    const matrix = gradientMatrix(operation);
    const rowBlocks = Math.ceil(problem.outChannelsPerGroup / rows);
    const workgroupThreads = Math.min(threads, powerOfTwoAtLeast(Math.ceil(matrix.columns / columns)));
    const columnBlocks = Math.ceil(matrix.columns / (workgroupThreads * columns));
    const tasksPerSplit = problem.groups * rowBlocks * columnBlocks;

    const width = problem.output[2];
    const segmentsPerRow = Math.ceil(width / LONGEST_SEGMENT);
    const segmentLength = Math.ceil(width / segmentsPerRow);
    const segments = problem.batch * problem.output[0] * problem.output[1] * segmentsPerRow;
    const leastDepth = Math.max(1, Math.ceil(LEAST_DEPTH / segmentLength));
    const wanted = chooseSplits(
      { tasks: tasksPerSplit, elements: matrix.elements, depth: segments, leastDepth },
      capabilities,
    );
    const segmentsPerSplit = Math.ceil(segments / wanted);
    const splits = Math.ceil(segments / segmentsPerSplit);

    const sums = weightSums(operation, splits, capabilities);
    const tasks = splits * tasksPerSplit;
    const first = dispatch(kernel, {
      constants: { ...gradientConstants(operation), THREADS: workgroupThreads, ROWS: rows, COLUMNS: columns },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        columnBlocks,
        rowBlocks,
        tasks,
        segments,
        segmentsPerRow,
        segmentLength,
        segmentsPerSplit,
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(tasks, capabilities),
    });
    return twoStagePlan("register-tile", config, first, sums);
  },
};
