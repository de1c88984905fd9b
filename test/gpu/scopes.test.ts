/** Scopes give back what was made in them, and gradients go all at once. */
import { type Engine, type Tensor, TensorError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { gpuTest } from "../support/gpuTest.js";

const SHAPE = [1, 1, 2, 2];

/** x, and how many tensors are live beside it. */
function start(engine: Engine) {
  const before = engine.memory().liveTensors;
  const x = engine.tensor([-1, 2, -3, 4], SHAPE);
  const live = (): number => engine.memory().liveTensors - before - 1;
  return { x, live, [Symbol.dispose]: () => x.dispose() };
}

const valuesOf = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

describe("engine.scope with a function", () => {
  gpuTest("disposes of what it made, by whichever engine object, but for what it returns", async ({ engine }) => {
    using made = start(engine);
    const inner: Tensor[] = [];
    const result = engine.scope((local) => {
      inner.push(local.activate(made.x, "relu"), engine.activate(made.x, "relu6"));
      return local.conv2d(inner[0], local.tensor([3], [1, 1, 1, 1]));
    });
    expect(inner.map(({ disposed }) => disposed)).toEqual([true, true]);
    expect(made.live()).toBe(1);
    expect(await valuesOf(result)).toEqual([0, 6, 0, 12]);
    result.dispose();
  });

  gpuTest("keeps tensors within whatever holds them", ({ engine }) => {
    using made = start(engine);
    const one = (): Tensor => engine.activate(made.x, "relu");
    const cyclic: { self?: unknown; readonly y: Tensor } = { y: one() };
    cyclic.self = cyclic;
    const results = [
      engine.scope(() => [one(), { deep: [one()] }]),
      engine.scope(() => new Map([["y", one()]])),
      engine.scope(() => new Set([one()])),
      engine.scope(() => ({ ...cyclic, z: one(), bytes: new Uint8Array(8), none: null })),
      engine.scope((local) => local.conv2dBackward(one(), made.x, local.tensor([1], [1, 1, 1, 1]))),
    ];
    expect(results.length).toBe(5);
    expect(made.live()).toBe(1 + 2 + 1 + 1 + 1 + 3);
    engine.keep(results);
    for (const value of results) disposeAll(value);
    cyclic.y.dispose();
    expect(made.live()).toBe(0);
  });

  gpuTest("hands on an error, and disposes of everything but what it was told to keep", ({ engine }) => {
    using made = start(engine);
    const error = new Error("the caller's own");
    const kept: Tensor[] = [];
    const failing = (): Tensor =>
      engine.scope((local) => {
        kept.push(local.keep(local.activate(made.x, "relu")));
        local.activate(made.x, "relu");
        throw error;
      });
    expect(failing).toThrow(error);
    expect(made.live()).toBe(1);
    kept[0].dispose();
    expect(() => engine.scope(3 as never)).toThrow(/run is 3; expected a function/);
  });

  gpuTest("nests: what an inner scope keeps is the outer one's", ({ engine }) => {
    using made = start(engine);
    const y = engine.scope((outer) => {
      const kept = outer.scope((local) => local.activate(local.activate(made.x, "relu"), "relu"));
      expect(made.live()).toBe(1);
      engine.scope(() => engine.activate(made.x, "relu"));
      return outer.activate(kept, "relu6");
    });
    expect(made.live()).toBe(1);
    y.dispose();
  });

  gpuTest("lasts, where it is async, until that has settled; others' tensors are not its own", async ({ engine }) => {
    using made = start(engine);
    const waiting = engine.scope(async (local) => {
      const first = local.activate(made.x, "relu");
      await first.data();
      const second = local.activate(first, "relu6");
      await second.data();
      return local.conv2d(second, local.tensor([2], [1, 1, 1, 1]));
    });
    const foreign = engine.activate(made.x, "relu");
    const result = await waiting;
    expect(foreign.disposed).toBe(false);
    expect(made.live()).toBe(2);
    expect(await valuesOf(result)).toEqual([0, 4, 0, 8]);
    await expect(
      engine.scope(async (local) => {
        await local.activate(made.x, "relu").data();
        throw new Error("the caller's own");
      }),
    ).rejects.toThrow("the caller's own");
    expect(made.live()).toBe(2);
    for (const tensor of [foreign, result]) tensor.dispose();
  });
});

describe("engine.scope as a value", () => {
  gpuTest("ends with its block, across waits, and keeps what it is told to", async ({ engine }) => {
    using made = start(engine);
    let kept: Tensor | undefined;
    {
      using local = engine.scope();
      const y = local.activate(made.x, "relu");
      await y.data();
      engine.activate(made.x, "relu").dispose();
      kept = local.keep(local.activate(y, "relu6"));
      expect(made.live()).toBe(2);
    }
    expect(made.live()).toBe(1);
    expect(await valuesOf(kept)).toEqual([0, 2, 0, 4]);
    kept.dispose();
  });

  gpuTest("refuses to go on once it has ended; the engine lives on", async ({ engine }) => {
    using made = start(engine);
    const local = engine.scope();
    local.dispose();
    local.dispose();
    expect(() => local.activate(made.x, "relu")).toThrow(TensorError);
    expect(() => local.tensor([1], [1])).toThrow(/the scope has ended/);
    using y = engine.activate(made.x, "relu");
    expect(await valuesOf(y)).toEqual([0, 2, 0, 4]);
  });

  gpuTest("within a compiled sequence is memory of the sequence's own", async ({ engine }) => {
    using made = start(engine);
    using step = await engine.compile(() =>
      engine.scope((local) => local.activate(local.activate(made.x, "relu"), "relu6")),
    );
    expect(made.live()).toBe(1);
    for (let run = 0; run < 2; run++) {
      step.run();
      expect(await valuesOf(step.result)).toEqual([0, 2, 0, 4]);
    }
    step.result.dispose();
  });
});

gpuTest("gradients are disposed of as a whole", async ({ engine }) => {
  using made = start(engine);
  {
    using w = engine.tensor([1], [1, 1, 1, 1]);
    using gradients = engine.conv2dBackward(made.x, made.x, w);
    expect(await valuesOf(gradients.bias)).toEqual([2]);
    expect(made.live()).toBe(4);
    gradients.dispose();
  }
  expect(made.live()).toBe(0);
});

function disposeAll(value: unknown): void {
  const seen = new Set<unknown>();
  const disposeOne = (one: unknown): void => {
    if (typeof one !== "object" || one === null || seen.has(one)) return;
    seen.add(one);
    if ("shape" in one && "dispose" in one) (one as Tensor).dispose();
    else if (one instanceof Map || one instanceof Set) [...one.values()].forEach(disposeOne);
    else Object.values(one).forEach(disposeOne);
  };
  disposeOne(value);
}
