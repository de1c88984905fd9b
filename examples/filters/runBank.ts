/** The bank on an engine, as one convolution, measured and verified. */
import type { Engine, Timing } from "webgpu-conv";
import { compare, type Comparison, errorBound, forward, makeProblem } from "webgpu-conv/reference";
import { bankTensors, COLOURS, type Filter } from "./filterBank.js";
import type { Picture } from "./pictureFile.js";

export interface BankResult {
  /** Responses of each filter, `height * width` values, in the order of the filters. */
  readonly responses: readonly Float32Array[];
  readonly solver: string;
  /** Median of the runs after the first. */
  readonly timing: Timing;
  /** Element by element against the float64 reference. */
  readonly verdict: Comparison;
  /** Values compared. */
  readonly elements: number;
}

const TIMED_RUNS = 5;

/** Runs every filter over the picture (padding "same") and compares each response with the reference. */
export async function runBank(
  engine: Engine,
  { width, height, planes }: Picture,
  filters: readonly Filter[],
): Promise<BankResult> {
  const { weight, weightShape, bias } = bankTensors(filters);
  const inputShape = [1, COLOURS, height, width];
  using x = engine.tensor(planes, inputShape);
  using w = engine.tensor(weight, weightShape);
  using b = engine.tensor(bias, [filters.length]);
  const options = { padding: "same", bias: b } as const;

  using y = engine.conv2d(x, w, options);
  const values = await y.data();
  const timings: Timing[] = [];
  for (let run = 0; run < TIMED_RUNS; run++) {
    timings.push(await engine.time(() => engine.conv2d(x, w, options).dispose()));
  }
  timings.sort((a, other) => a.milliseconds - other.milliseconds);

  const problem = makeProblem(2, inputShape, weightShape, { padding: "same" });
  const expected = forward(problem, planes, weight, { bias });
  const bound = errorBound(problem, "forward", { x: planes, w: weight, bias });
  const pixels = width * height;
  return {
    responses: filters.map((_, i) => values.subarray(i * pixels, (i + 1) * pixels)),
    solver: engine.explain("conv2d", { input: inputShape, weight: weightShape }, options).solver,
    timing: timings[Math.floor(TIMED_RUNS / 2)],
    verdict: compare(values, expected, bound),
    elements: values.length,
  };
}
