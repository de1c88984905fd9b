/** One row of the benchmark: a pass of a layer, verified and timed. */
import type { Engine, SolverChoice, Timing } from "webgpu-conv";
import { compare, referencePass } from "webgpu-conv/reference";
import type { Ceilings } from "./ceilings.js";
import type { LayerRun } from "./layerRun.js";
import { passBound } from "./passBound.js";
import type { Pass } from "./passes.js";
import { measure, type Measurement } from "./measure.js";
import { makeRow, type Row, type Verification } from "./report.js";
import { median } from "./statistics.js";

/** The runs of a layer: what is timed, and what is verified. The same one where the CPU can follow. */
export interface RunPair {
  readonly timed: LayerRun;
  readonly verified: LayerRun;
}

/** Samples of a pass, and how long each should be for the clock. */
export const MEASURE = {
  software: { samples: 5, leastSampleMs: 10, mostRepeats: 64 },
  gpu: { samples: 7, leastSampleMs: 10, mostRepeats: 256 },
} as const;

/** Results that a sample holds on to at most: each repeat makes its own. */
const MOST_RESULT_BYTES = 2 ** 28;
/** A quick reference pass is repeated for about this long, at most this often. */
const REFERENCE_MS = 20;
const REFERENCE_REPEATS = 5;

/** Verifies first, which also compiles the kernels, then times. */
export async function runRow(
  engine: Engine,
  layer: string,
  pass: Pass,
  { timed, verified }: RunPair,
  ceilings: Ceilings,
): Promise<Row> {
  const { solver, config, flops, bytes, workspaceBytes } = timed.explain(pass);
  // Named, so that both sizes run on the same one.
  const choice = { name: solver, config };
  const verification = await verify(verified, pass, choice);
  const { measurement, clock } = await timePass(engine, timed, pass, choice, workspaceBytes);
  return makeRow({
    layer,
    pass,
    solver,
    flops,
    bytes,
    ceilings,
    measurement,
    clock,
    verification,
    referenceScale: timed.problem.multiplyAdds / verified.problem.multiplyAdds,
    input: timed.problem.inputShape,
    verifiedInput: verified.problem.inputShape,
  });
}

async function timePass(
  engine: Engine,
  run: LayerRun,
  pass: Pass,
  solver: SolverChoice,
  workspaceBytes: number,
): Promise<{ readonly measurement: Measurement; readonly clock: Timing["clock"] }> {
  let clock: Timing["clock"] = "timestamp";
  const time = async (repeats: number): Promise<number> => {
    const timing = await engine.time(() => {
      for (let i = 0; i < repeats; i++) run.record(pass, solver).dispose();
    });
    if (timing.clock === "wall-clock") clock = "wall-clock";
    return timing.milliseconds;
  };
  const options = MEASURE[engine.adapter.software ? "software" : "gpu"];
  const affordable = Math.floor(MOST_RESULT_BYTES / (run.resultBytes(pass) + workspaceBytes));
  const mostRepeats = Math.max(1, Math.min(options.mostRepeats, affordable));
  return { measurement: await measure(time, { ...options, mostRepeats }), clock };
}

/** Compares the pass, element by element, with the float64 reference. */
export async function verify(run: LayerRun, pass: Pass, solver: SolverChoice): Promise<Verification> {
  const { problem, operands } = run;
  const result = run.record(pass, solver);
  const actual = await result.data().finally(() => result.dispose());
  const { values, milliseconds } = timeReference(() => referencePass(problem, pass, operands));
  const comparison = compare(actual, values, passBound(problem, pass, operands, solver));
  return { ...comparison, referenceMs: milliseconds };
}

function timeReference(pass: () => Float64Array): { values: Float64Array; milliseconds: number } {
  const samplesMs: number[] = [];
  const begin = performance.now();
  for (;;) {
    const start = performance.now();
    const values = pass();
    const end = performance.now();
    samplesMs.push(end - start);
    if (end - begin >= REFERENCE_MS || samplesMs.length >= REFERENCE_REPEATS) {
      return { values, milliseconds: median(samplesMs) };
    }
  }
}
