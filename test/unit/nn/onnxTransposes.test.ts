/** Transposes one after the other: one, or none. */
import { createEngine } from "webgpu-conv";
import { disposeModule } from "webgpu-conv/nn";
import { afterAll, describe, expect, test } from "vitest";
import { load, upTo } from "../../support/io/loadOnnx.js";
import type { ModelSpec } from "../../support/io/onnxFile.js";

const engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

/** Transposes one after the other, with what reads the value between. */
const transposed = (orders: readonly (readonly number[] | undefined)[], outputs: readonly string[]): ModelSpec => ({
  inputs: { x: [] },
  outputs,
  nodes: [
    ...orders.map((perm, i) => ({
      op: "Transpose",
      inputs: [i === 0 ? "x" : `t${String(i - 1)}`],
      outputs: [`t${String(i)}`],
      attributes: perm ? { perm } : {},
    })),
    { op: "Relu", inputs: [`t${String(orders.length - 1)}`], outputs: ["y"] },
  ],
});

describe("Transposes one after the other", () => {
  test.each<[string, (readonly number[] | undefined)[], string[], readonly number[], readonly number[]]>([
    [
      "that cancel are none",
      [
        [0, 2, 1],
        [0, 2, 1],
      ],
      ["Relu"],
      [1, 2, 3],
      upTo(6),
    ],
    ["the other way round twice are none", [undefined, undefined], ["Relu"], [1, 2, 3], upTo(6)],
    ["the other way round, and by that order, are none", [undefined, [2, 1, 0]], ["Relu"], [1, 2, 3], upTo(6)],
    [
      "are one",
      [
        [1, 2, 0],
        [2, 0, 1],
        [0, 2, 1],
      ],
      ["Transpose", "Relu"],
      [1, 3, 2],
      [0, 3, 1, 4, 2, 5],
    ],
    [
      "that turn in a circle are none",
      [
        [1, 2, 0],
        [1, 2, 0],
        [1, 2, 0],
      ],
      ["Relu"],
      [1, 2, 3],
      upTo(6),
    ],
    [
      "that do not cancel are one",
      [
        [1, 2, 0],
        [1, 2, 0],
      ],
      ["Transpose", "Relu"],
      [3, 1, 2],
      [0, 3, 1, 4, 2, 5],
    ],
  ])("%s", async (_, orders, kinds, shape, values) => {
    const model = await load(engine, transposed(orders, ["y"]));
    expect(Object.values(model.children).map(({ kind }) => kind)).toEqual(kinds);
    using x = engine.tensor(upTo(6), [1, 2, 3]);
    using y = model.forward(x);
    expect([y.shape, [...(await y.data())]]).toEqual([shape, values]);
    disposeModule(model);
  });

  test("whose values are results keep these", async () => {
    const swap = [0, 2, 1];
    const model = await load(engine, transposed([swap, swap], ["t0", "t1", "y"]));
    using x = engine.tensor(upTo(6), [1, 2, 3]);
    const before = engine.memory().liveTensors;
    const results = model.run({ x });
    expect(Object.entries(results).map(([name, { shape }]) => [name, ...shape])).toEqual([
      ["t0", 1, 3, 2],
      ["t1", 1, 2, 3],
      ["y", 1, 2, 3],
    ]);
    expect([...(await results.t0.data())]).toEqual([0, 3, 1, 4, 2, 5]);
    expect([...(await results.t1.data())]).toEqual(upTo(6));
    for (const tensor of Object.values(results)) tensor.dispose();
    expect(engine.memory().liveTensors).toBe(before);
    disposeModule(model);
  });
});
