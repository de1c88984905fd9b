/** Calls that must be refused: a typed error from the call itself, with the rule and the values, and no harm done. */
import {
  ArgumentError,
  type ConvOptions,
  type Engine,
  type LimitError,
  type SolverError,
  type Tensor,
  type TensorError,
} from "webgpu-conv";
import { describe, expect } from "vitest";
import { gpuTest } from "./gpuTest.js";

type ErrorType = typeof ArgumentError | typeof LimitError | typeof SolverError | typeof TensorError;

/** What must throw: a call on an engine with x [1, 4, 5, 5], w [6, 4, 3, 3] and dy [1, 6, 3, 3]. */
export interface BadCall {
  readonly name: string;
  readonly call: (engine: Engine, tensors: Readonly<Record<"x" | "w" | "dy", Tensor>>) => unknown;
  readonly error: ErrorType;
  /** What the message must contain: the rule and the values. */
  readonly says: readonly RegExp[];
}

export { wrong } from "./wrong.js";

/** A conv2d of x and w with these options. */
export const badConv = (name: string, options: ConvOptions, ...says: RegExp[]): BadCall => ({
  name,
  call: (engine, { x, w }) => engine.conv2d(x, w, options),
  error: ArgumentError,
  says,
});

export const badCall = (name: string, error: ErrorType, says: readonly RegExp[], call: BadCall["call"]): BadCall => ({
  name,
  call,
  error,
  says,
});

/** Runs the bad call with other work pending, and checks that the work and the engine are none the worse. */
async function expectRefused(engine: Engine, { call, error, says }: BadCall): Promise<void> {
  using x = engine.tensor(new Float32Array(100).fill(1), [1, 4, 5, 5]);
  using w = engine.tensor(new Float32Array(216).fill(1), [6, 4, 3, 3]);
  using dy = engine.tensor(new Float32Array(54).fill(1), [1, 6, 3, 3]);
  using before = engine.conv2d(x, w);
  const { liveTensors } = engine.memory();
  let thrown: unknown;
  try {
    call(engine, { x, w, dy });
  } catch (cause) {
    thrown = cause;
  }
  expect(thrown).toBeInstanceOf(error);
  for (const pattern of says) expect(String(thrown)).toMatch(pattern);
  expect(engine.memory().liveTensors).toBe(liveTensors);
  using after = engine.conv2d(x, w);
  const expected = new Float32Array(54).fill(36);
  expect(await Promise.all([before.data(), after.data()])).toEqual([expected, expected]);
}

/** Declares a test for each call, by title. */
export function testRefusals(groups: Readonly<Record<string, readonly BadCall[]>>): void {
  for (const [title, calls] of Object.entries(groups)) {
    describe(title, () => {
      for (const bad of calls) gpuTest(bad.name, async ({ engine }) => await expectRefused(engine, bad));
    });
  }
}
