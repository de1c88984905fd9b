/** Compares a normalisation with float64. */
import type { Engine, Tensor } from "webgpu-conv";
import { type NormOptions, Tape } from "webgpu-conv/nn";
import { expect } from "vitest";
import { Random, reals } from "../data.js";
import { expectClose } from "./checkGradients.js";
import { makeFloat64Engine } from "./float64Engine.js";

export type Norm = (x: Tensor, options: NormOptions) => Tensor;

/** Result and gradients of x, weight, bias and residual. */
const NAMES = ["y", "dx", "dw", "db", "dr"] as const;

/** Compares a normalisation, and its gradients, with float64. */
export async function compareNorm(
  engine: Engine,
  shape: readonly number[],
  parameters: readonly number[],
  norm: Norm,
  { dtype = "float32", tolerance = 2e-5 }: { dtype?: "float32" | "float16"; tolerance?: number } = {},
): Promise<void> {
  const random = new Random(3);
  const size = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);
  const like = (extents: readonly number[], type: "float32" | "float16" = dtype): Tensor =>
    engine.tensor(reals(random, size(extents)), extents, { dtype: type });
  const made = [
    like(shape),
    like(parameters, "float32"),
    like(parameters, "float32"),
    like(shape),
    like(shape),
  ] as const;
  // As they were stored.
  const values = await Promise.all(made.map((tensor) => tensor.data()));
  const results = run(engine, norm, made);
  const exact = makeFloat64Engine();
  const expected = run(
    exact.engine,
    norm,
    values.map((own, i) => exact.tensor(own, made[i].shape)) as unknown as typeof made,
  );
  for (const [i, name] of NAMES.entries()) {
    expect(results[i].dtype).toBe(name === "dw" || name === "db" ? "float32" : dtype);
    expectClose(await results[i].data(), exact.values(expected[i]), tolerance, `${name} of [${shape.join(", ")}]`);
  }
  for (const tensor of [...made, ...results]) tensor.dispose();
  exact.engine.dispose();
}

function run(
  engine: Engine,
  norm: Norm,
  [x, weight, bias, residual, upstream]: readonly [Tensor, Tensor, Tensor, Tensor, Tensor],
): Tensor[] {
  const tape = new Tape(engine);
  const y = tape.run(() => norm(x, { weight, bias, residual, activation: "leaky-relu" }));
  return [y, ...tape.gradients(y, [x, weight, bias, residual], { upstream })];
}
