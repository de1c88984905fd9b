/** Checks what an operation computes, and its gradients, against float64: by the formula on the host, and by differences. */
import type { Engine, Tensor } from "webgpu-conv";
import { Tape } from "webgpu-conv/nn";
import { expect } from "vitest";
import { Random } from "../data.js";
import { makeFloat64Engine } from "./float64Engine.js";

/** A tensor that the function takes. */
export interface Input {
  readonly shape: readonly number[];
  /** Reals in [-1, 1) when absent. They are rounded to float32. */
  readonly values?: ArrayLike<number>;
  /** Whether its gradient is not checked: labels, say. */
  readonly isConstant?: boolean;
}

export interface GradientCheck<Names extends string> {
  readonly inputs: Readonly<Record<Names, Input>>;
  /** Computes results from tensors of one engine, whichever that is. */
  readonly compute: (tensors: Readonly<Record<Names, Tensor>>, engine: Engine) => Tensor | readonly Tensor[];
  readonly seed?: number;
  /** Error allowed, as a part of the largest magnitude among the values compared: 1e-5 when absent, for sums of up to a few hundred terms. */
  readonly tolerance?: number;
}

/** Differences of float64 values of this size: their error is about its square. */
const STEP = 1e-4;

/** What is left of that, as a part of the largest magnitude, for thrice differentiable functions whose derivatives are of its size. */
const HOST_TOLERANCE = 1e-6;

const listOf = (result: Tensor | readonly Tensor[]): readonly Tensor[] =>
  (Array.isArray(result) ? result : [result]) as readonly Tensor[];

/**
 * Runs the function on the engine's tensors and in float64, and compares results; then the gradients, by a tape, of the sum of its
 * results times random numbers: in the middle of a graph, as it were; and by a tape on the host, in float64. Leaves no tensor behind.
 */
export async function checkGradients<Names extends string>(
  engine: Engine,
  { inputs, compute, seed = 1, tolerance = 1e-5 }: GradientCheck<Names>,
): Promise<void> {
  const random = new Random(seed);
  const reals = (count: number): Float32Array => Float32Array.from({ length: count }, () => 2 * random.next() - 1);
  const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const entries = Object.entries<Input>(inputs).map(([name, { shape, values, isConstant = false }]) => {
    return { name, shape, isConstant, values: Float32Array.from(values ?? reals(size(shape))) };
  });
  const exact = makeFloat64Engine();
  /** Gradients on the host, of a result, in float64: by the operations' own formulas there, and no kernels. */
  const gradients64 = (i: number, by: ArrayLike<number>, names: readonly string[]): Float64Array[] => {
    using tape = new Tape(exact.engine);
    const own = Object.fromEntries(entries.map(({ name, shape, values }) => [name, exact.tensor(values, shape)]));
    const result = listOf(tape.run(() => compute(own as Record<Names, Tensor>, exact.engine)))[i];
    const upstream = exact.tensor(by, result.shape);
    const gradients = tape.gradients(
      result,
      names.map((name) => own[name]),
      { upstream },
    );
    return gradients.map((gradient) => Float64Array.from(exact.values(gradient)));
  };
  const run64 = (changed?: string, at = 0, by = 0): { results: Float64Array[]; shapes: (readonly number[])[] } => {
    const tensors = entries.map(({ name, shape, values }) => {
      const own = Float64Array.from(values);
      if (name === changed) own[at] += by;
      return [name, exact.tensor(own, shape)] as const;
    });
    const results = listOf(compute(Object.fromEntries(tensors) as Record<Names, Tensor>, exact.engine));
    return {
      results: results.map((one) => Float64Array.from(exact.values(one))),
      shapes: results.map(({ shape }) => shape),
    };
  };
  const expected = run64();
  const upstream = expected.results.map((values) => reals(values.length));

  const made = entries.map(({ name, shape, values }) => [name, engine.tensor(values, shape)] as const);
  const tensors = Object.fromEntries(made) as Record<Names, Tensor>;
  for (const [i] of expected.results.entries()) {
    using tape = new Tape(engine);
    const all = listOf(tape.run(() => compute(tensors, engine)));
    const [first] = [all[i]];
    expect(all.map(({ shape }) => shape)).toEqual(expected.shapes);
    expectClose(await first.data(), expected.results[i], tolerance, `result ${String(i)}`);
    const checked = entries.filter(({ isConstant }) => !isConstant);
    if (checked.length > 0) {
      using own = engine.tensor(upstream[i], first.shape);
      const gradients = tape.gradients(
        first,
        checked.map(({ name }) => tensors[name as Names]),
        { upstream: own },
      );
      const onHost = gradients64(
        i,
        upstream[i],
        checked.map(({ name }) => name),
      );
      for (const [g, { name, shape, values }] of checked.entries()) {
        const only = (result: ReturnType<typeof run64>): number =>
          result.results[i].reduce((part, value, j) => part + value * upstream[i][j], 0);
        const differences = Float64Array.from(values, (_, at) => {
          return (only(run64(name, at, STEP)) - only(run64(name, at, -STEP))) / (2 * STEP);
        });
        expect(gradients[g].shape).toEqual(shape);
        const what = `gradient of ${name} by result ${String(i)}`;
        expectClose(await gradients[g].data(), differences, tolerance, what);
        expectClose(onHost[g], differences, HOST_TOLERANCE, `${what} on the host`);
        gradients[g].dispose();
      }
    }
    for (const tensor of new Set(all)) tensor.dispose();
  }
  for (const [, tensor] of made) tensor.dispose();
  exact.engine.dispose();
}

/** Within a part of the largest magnitude. NaN fails, and so does an infinity where the other has none. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(actual.length, what).toBe(expected.length);
  const largest = Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  for (let i = 0; i < expected.length; i++) {
    const isClose = Math.abs(actual[i] - expected[i]) <= tolerance * largest;
    if (!isClose)
      expect.fail(
        `${what}: element ${String(i)} is ${String(actual[i])}; expected ${String(expected[i])}, within ${String(tolerance * largest)}`,
      );
  }
}
