/** One pass of one layer on every engine: checked, warmed up, and timed round by round. */
import { compare, type Comparison, errorBound, makeProblem, referencePass } from "webgpu-conv/reference";
import { randomValues } from "../random.js";
import { median } from "../statistics.js";
import { type LayerCase, OWN_ENGINE, type PeerEngine, type PreparedPass, resultShape, timeSlice } from "./engine.js";
import type { Layer, Pass } from "./layers.js";
import type { Row } from "./row.js";

/** Calls before the first round; the first of all, which compiles, comes before these. */
const WARM_UP_CALLS = 5;
/** No more of them once they took this long: a slow call is warm soon. */
const WARM_UP_MS = 1000;
/** A slice repeats the call for about this long. */
const SLICE_MS = 100;
const MOST_REPEATS = 128;
/** Results that one slice may hold on the device. */
const HELD_BYTES = 2 ** 26;
const FLOAT_BYTES = 4;

interface Contender {
  readonly engine: PeerEngine;
  readonly prepared: PreparedPass;
  readonly comparison: Comparison;
  readonly repeats: number;
  readonly samplesMs: number[];
}

type Prepared = Contender | { readonly engine: PeerEngine; readonly problem: string };

/** Values are uniform in [-1, 1] and the same in every run. */
export function makeCase(layer: Layer): LayerCase {
  const problem = makeProblem(2, layer.input, layer.weight, layer.options);
  const values = (shape: readonly number[], seed: number) => randomValues(sizeOf(shape), seed);
  const { inputShape, weightShape, outputShape } = problem;
  return { layer, problem, x: values(inputShape, 1), w: values(weightShape, 2), dy: values(outputShape, 3) };
}

export async function measurePass(
  engines: readonly PeerEngine[],
  layerCase: LayerCase,
  pass: Pass,
  rounds: number,
): Promise<Row[]> {
  const { problem, x, w, dy } = layerCase;
  const operands = { x, w, dy };
  const expected = referencePass(problem, pass, operands);
  const bound = errorBound(problem, pass, operands);
  const check = (actual: Float32Array): Comparison => compare(actual, expected, bound);
  const all: Prepared[] = [];
  for (const engine of engines) all.push(await prepare(engine, layerCase, pass, check));
  const contenders = all.filter((one): one is Contender => "prepared" in one);
  for (let round = 0; round < rounds; round++) {
    // Each goes first in its turn: what one leaves behind, in caches or heat, falls on every other.
    const turn = round % Math.max(contenders.length, 1);
    for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
      contender.samplesMs.push((await timeSlice(contender.prepared, contender.repeats)) / contender.repeats);
    }
  }
  for (const { prepared } of contenders) prepared.dispose();
  return all.map((one) => makeRow(one, layerCase, pass));
}

async function prepare(
  engine: PeerEngine,
  layerCase: LayerCase,
  pass: Pass,
  check: (actual: Float32Array) => Comparison,
): Promise<Prepared> {
  try {
    const prepared = await engine.prepare(layerCase, pass);
    await timeSlice(prepared, 1);
    const comparison = check(await prepared.read());
    const repeats = await warmUp(prepared, FLOAT_BYTES * sizeOf(resultShape(layerCase, pass)));
    return { engine, prepared, comparison, repeats, samplesMs: [] };
  } catch (cause) {
    return { engine, problem: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** Gives the calls that fill a slice. */
async function warmUp(prepared: PreparedPass, resultBytes: number): Promise<number> {
  const samplesMs: number[] = [];
  const start = performance.now();
  do samplesMs.push(await timeSlice(prepared, 1));
  while (samplesMs.length < WARM_UP_CALLS && performance.now() - start < WARM_UP_MS);
  const wanted = Math.ceil(SLICE_MS / Math.max(Math.min(...samplesMs), SLICE_MS / MOST_REPEATS));
  const repeats = Math.max(1, Math.min(wanted, Math.floor(HELD_BYTES / resultBytes)));
  // A call by itself is mostly waiting where calls are short: count again with many.
  if (repeats === 1) return 1;
  const callMs = (await timeSlice(prepared, repeats)) / repeats;
  return Math.max(1, Math.min(Math.ceil(SLICE_MS / callMs), MOST_REPEATS, Math.floor(HELD_BYTES / resultBytes)));
}

function makeRow(one: Prepared, { layer, problem }: LayerCase, pass: Pass): Row {
  const row = { layer: layer.name, pass, engine: one.engine.name };
  if (!("prepared" in one)) {
    const verdict = one.engine.name === OWN_ENGINE ? "fail" : "unsupported";
    return { ...row, ms: null, gflops: null, maxError: null, verdict, unsupported: one.problem };
  }
  const ms = median(one.samplesMs);
  const { maxError, pass: passed } = one.comparison;
  const gflops = (2 * problem.multiplyAdds) / ms / 1e6;
  return { ...row, ms, gflops, maxError, verdict: passed ? "pass" : "fail" };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);
