/** Networks by tiles beside the same on the whole. */
import type { Engine } from "webgpu-conv";
import { explainNetwork, type Module, parametersOf, runTiled } from "webgpu-conv/nn";
import { expect } from "vitest";
import { Random, reals } from "../data.js";

export const product = (extents: readonly number[]): number => extents.reduce((all, extent) => all * extent, 1);
const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.slice().buffer);

export interface Wanted {
  readonly layout?: "channels-first" | "channels-last";
  readonly maxBytes?: number;
  readonly tile?: readonly number[];
}

/** Runs a network on the whole and by tiles, and compares bits. Returns how many tiles there were. */
export async function compareTiled(
  engine: Engine,
  module: Module,
  shape: readonly number[],
  wanted: Wanted | ((spatial: readonly number[]) => Wanted),
  random = new Random(1),
): Promise<number> {
  const values = reals(random, product(shape));
  const isHalf = Object.values(parametersOf(module)).some((parameter) => parameter.dtype === "float16");
  const dtype = isHalf ? "float16" : "float32";
  using x = engine.tensor(values, [1, ...shape], { dtype });
  using y = engine.scope(() => module.forward(x));
  const whole = await y.data();
  const options = typeof wanted === "function" ? wanted(y.shape.slice(2)) : wanted;
  const tiled = await runTiled(module, { shape, values }, options);
  const text = `${explainNetwork(module, [1, ...shape], { dtype }).toString()}\nof ${shape.join(" x ")} by ${tiled.tile.join(" x ")}`;
  expect(tiled.shape, text).toEqual(y.shape.slice(1));
  const [expected, got] = [bitsOf(whole), bitsOf(tiled.values ?? new Float32Array())];
  expect(
    expected.findIndex((one, i) => one !== got[i]),
    `the first element with other bits of ${text}`,
  ).toBe(-1);
  expect(got).toHaveLength(expected.length);
  return tiled.tiles;
}
