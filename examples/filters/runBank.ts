/** The bank on an engine, as one convolution, measured and verified. */
import { setImmediate } from "node:timers/promises";
import type { Engine, Progress, Timing, WaitOptions } from "webgpu-conv";
import { compare, type Comparison, errorBound, forward, makeProblem } from "webgpu-conv/reference";
import { type BankTensors, bankTensors, COLOURS, EXTENT, type Filter } from "./filterBank.js";
import type { Picture } from "./pictureFile.js";

export interface BankResult {
  /** Responses of each filter, `height * width` values, in the order of the filters. */
  readonly responses: readonly Float32Array[];
  readonly solver: string;
  /** Median of the runs after the first; of a large picture the first one, kernels compiled and values read with it. */
  readonly timing: Timing;
  /** Runs of which it is the median. */
  readonly runs: number;
  /** Element by element against the float64 reference, of the worst band. */
  readonly verdict: Comparison;
  /** Values compared. */
  readonly elements: number;
}

/** What is told of progress, and what ends it. */
export interface BankOptions {
  readonly signal?: AbortSignal;
  readonly onFiltered?: (progress: Progress) => void;
  readonly onVerified?: (progress: Progress) => void;
}

/** Runs of a picture that is not large. */
const TIMED_RUNS = 5;
/** Pixels that are verified at most, in bands spread over a larger picture: the CPU takes some seconds for a million. */
const MOST_VERIFIED = 2 ** 20;
/** Pixels of a band, or a row. */
const BAND_PIXELS = 2 ** 16;
const RIM = Math.floor(EXTENT / 2);

/** Runs every filter over the picture (padding "same") and compares responses with the reference. */
export async function runBank(
  engine: Engine,
  picture: Picture,
  filters: readonly Filter[],
  { signal, onFiltered, onVerified }: BankOptions = {},
): Promise<BankResult> {
  const { width, height, planes } = picture;
  const bank = bankTensors(filters);
  const inputShape = [1, COLOURS, height, width];
  using x = engine.tensor(planes, inputShape);
  using w = engine.tensor(bank.weight, bank.weightShape);
  using b = engine.tensor(bank.bias, [filters.length]);
  const options = { padding: "same", bias: b } as const;

  const start = performance.now();
  const wait: WaitOptions = { ...(signal && { signal }), ...(onFiltered && { onProgress: onFiltered }) };
  using y = engine.conv2d(x, w, options);
  const values = await y.data(wait);
  const first: Timing = { milliseconds: performance.now() - start, clock: "wall-clock" };
  const timings: Timing[] = [];
  for (let run = 0; width * height <= MOST_VERIFIED && run < TIMED_RUNS; run++) {
    timings.push(await engine.time(() => engine.conv2d(x, w, options).dispose()));
  }
  timings.sort((a, other) => a.milliseconds - other.milliseconds);

  const pixels = width * height;
  const responses = filters.map((_, i) => values.subarray(i * pixels, (i + 1) * pixels));
  return {
    responses,
    solver: engine.explain("conv2d", { input: inputShape, weight: bank.weightShape }, options).solver,
    timing: timings.at(Math.floor(TIMED_RUNS / 2)) ?? first,
    runs: Math.max(1, timings.length),
    ...(await verify(picture, bank, responses, signal, onVerified)),
  };
}

/** Compares bands of rows: all of a small picture, some of a large one, the first and the last among them. */
async function verify(
  picture: Picture,
  bank: BankTensors,
  responses: readonly Float32Array[],
  signal: AbortSignal | undefined,
  onVerified: ((progress: Progress) => void) | undefined,
): Promise<Pick<BankResult, "verdict" | "elements">> {
  const { width, height } = picture;
  const rows = Math.max(1, Math.min(height, Math.floor(BAND_PIXELS / width)));
  const bands = Math.ceil(height / rows);
  const total = Math.min(bands, Math.max(2, Math.floor(MOST_VERIFIED / (rows * width))));
  let worst: Comparison | undefined;
  let elements = 0;
  for (let done = 0; done < total; done++) {
    onVerified?.({ done, total });
    // Lets Ctrl-C through.
    await setImmediate();
    signal?.throwIfAborted();
    const band = total === 1 ? 0 : Math.round((done * (bands - 1)) / (total - 1));
    const top = band * rows;
    const bottom = Math.min(height, top + rows);
    const verdict = verifyBand(picture, bank, responses, top, bottom);
    elements += responses.length * (bottom - top) * width;
    if (!worst || closeness(verdict) > closeness(worst)) worst = verdict;
  }
  onVerified?.({ done: total, total });
  if (!worst) throw new Error("a picture without rows was verified");
  return { verdict: worst, elements };
}

/** How near a result is to its bound; a failure is the nearest. */
const closeness = ({ worstError, bound, pass }: Comparison): number => (pass ? worstError / bound : Infinity);

/** Compares rows `top` to `bottom` of all responses, from the rows that they read. */
function verifyBand(
  { width, height, planes }: Picture,
  { weight, weightShape, bias }: BankTensors,
  responses: readonly Float32Array[],
  top: number,
  bottom: number,
): Comparison {
  const [first, end] = [Math.max(0, top - RIM), Math.min(height, bottom + RIM)];
  const rows = (plane: Float32Array, from: number, to: number): Float32Array =>
    plane.subarray(from * width, to * width);
  const colours = Array.from({ length: COLOURS }, (_, i) =>
    planes.subarray(i * width * height, (i + 1) * width * height),
  );
  const x = joined(colours.map((plane) => rows(plane, first, end)));
  const actual = joined(responses.map((plane) => rows(plane, top, bottom)));
  // Zeros are beyond the picture alone.
  const [above, below] = [RIM - (top - first), RIM - (end - bottom)];
  const problem = makeProblem(2, [1, COLOURS, end - first, width], weightShape, {
    padding: [
      [above, below],
      [RIM, RIM],
    ],
  });
  const expected = forward(problem, x, weight, { bias });
  return compare(actual, expected, errorBound(problem, "forward", { x, w: weight, bias }));
}

function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
