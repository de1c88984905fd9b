/** Parts that share memory: changed in place, on a tape, in compiled sequences, after the loss of a device, explained. */
import type { Engine, Tensor } from "webgpu-conv";
import { DeviceLostError } from "webgpu-conv";
import {
  accumulate,
  add,
  batchNorm,
  checkpoint,
  clipGradValue,
  concat,
  defineModule,
  explainNetwork,
  mul,
  sgd,
  slice,
  split,
  sum,
  Tape,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../../support/gpuTest.js";
import { lose, valuesOf } from "../../support/losses.js";

const filled = (size: number, value: number): Float32Array => new Float32Array(size).fill(value);
const disposeAll = (tensors: Iterable<Tensor>): void => {
  for (const tensor of tensors) tensor.dispose();
};
/** The value of a tensor of equal ones. */
const valueOf = async (tensor: Tensor): Promise<number> => {
  const values = new Set(await tensor.data());
  expect(values.size).toBe(1);
  return [...values][0];
};

describe("parts that change in place", () => {
  gpuTest("are parameters like others, where they have no elements in common", async ({ bare: engine }) => {
    using whole = engine.tensor(filled(192, 1), [3, 64]);
    const [a, b, c] = split(whole, [1, 1, 1], 0);
    using gradient = engine.tensor(filled(64, 1), [1, 64]);
    using optimizer = sgd(engine, { a, c }, { lr: 0.5 });
    optimizer.step({ a: gradient, c: gradient });
    expect([await valueOf(a), await valueOf(b), await valueOf(c)]).toEqual([0.5, 1, 0.5]);
    expect((await whole.data())[130]).toBe(0.5);
    // A part is read while another changes: that needs two buffers.
    expect(() => optimizer.step({ a: gradient, c: b })).toThrow(
      "gradients.c shares its memory with parameters.a; expected memory of its own",
    );
    expect(() => accumulate({ a }, { a: b })).toThrow("gradients.a shares its memory with sums.a");
    using most = slice(whole, 0, 2, 0);
    expect(() => sgd(engine, { a, most }, { lr: 1 })).toThrow(
      "parameters.most and parameters.a share their memory; expected each tensor once",
    );
    disposeAll([a, b, c]);
  });

  gpuTest("are running statistics like others", async ({ bare: engine }) => {
    using x = engine.tensor(
      Float32Array.from({ length: 512 }, (_, i) => i % 7),
      [2, 64, 4],
    );
    using whole = engine.tensor(filled(128, 1), [128]);
    const [runningMean, runningVar] = split(whole, [64, 64], 0);
    const [ownMean, ownVar] = [0, 1].map(() => engine.tensor(filled(64, 1), [64]));
    using y = batchNorm(x, { runningMean, runningVar, training: true });
    using own = batchNorm(x, { runningMean: ownMean, runningVar: ownVar, training: true });
    expect(await y.data()).toEqual(await own.data());
    expect(await whole.data()).toEqual(Float32Array.of(...(await ownMean.data()), ...(await ownVar.data())));
    disposeAll([runningMean, runningVar, ownMean, ownVar]);
    using values = engine.tensor(filled(256, 1), [2, 64, 2]);
    const [mean, weight] = split(whole, [64, 64], 0);
    using variance = engine.tensor(filled(64, 1), [64]);
    expect(() => batchNorm(values, { weight, runningMean: mean, runningVar: variance, training: true })).toThrow(
      /share memory; expected tensors apart/,
    );
    disposeAll([mean, weight]);
  });
});

describe("gradients of tensors side by side", () => {
  /** Gradients of rows, and how many kernels run for them. */
  const gradientsOf = async (engine: Engine, row: number): Promise<[number, number[]]> => {
    const [a, b] = [1, 2].map((value) => engine.tensor(filled(2 * row, value), [2, row]));
    using w = engine.tensor(filled(4 * row, 3), [4, row]);
    using sequence = await engine.compile(() => {
      using tape = new Tape(engine);
      const loss = tape.run(() => {
        using y = checkpoint((input: Tensor) => concat([input, b], 0), a);
        using product = mul(y, w);
        return sum(product);
      });
      const gradients = tape.gradients(loss, [a, b]);
      loss.dispose();
      return gradients;
    });
    const values: number[] = [];
    for (const factor of [3, 4, 5]) {
      await engine.write(w, filled(4 * row, factor));
      sequence.run();
      values.push(...(await Promise.all(sequence.result.map(valueOf))));
    }
    disposeAll([a, b, ...sequence.result]);
    return [sequence.dispatches, values];
  };

  gpuTest("are parts of one, without a copy", async ({ bare: engine }) => {
    const [apart, expected] = await gradientsOf(engine, 65);
    const [together, values] = await gradientsOf(engine, 64);
    expect(values).toEqual(expected);
    expect(values).toEqual([3, 3, 4, 4, 5, 5]);
    expect(apart - together).toBe(2);
  });

  gpuTest("are the caller's alone, where that of the whole is asked for, too", async ({ bare: engine }) => {
    const [a, b] = [1, 2].map((value) => engine.tensor(filled(64, value), [1, 64]));
    using tape = new Tape(engine);
    let y = a;
    using loss = tape.run(() => sum((y = concat([a, b], 0))));
    const gradients = tape.gradients(loss, { y, a, b });
    clipGradValue({ y: gradients.y }, 0.25);
    expect(await Promise.all([gradients.y, gradients.a, gradients.b].map(valueOf))).toEqual([0.25, 1, 1]);
    clipGradValue(gradients, 0.125);
    expect(await Promise.all([gradients.y, gradients.a, gradients.b].map(valueOf))).toEqual([0.125, 0.125, 0.125]);
    disposeAll([a, b, y, ...Object.values(gradients)]);
  });
});

describe("a compiled sequence with parts", () => {
  gpuTest("has the same values in every run, whatever was disposed of in it", async ({ bare: engine }) => {
    using x = engine.tensor(filled(256, 0), [4, 64]);
    using sequence = await engine.compile(() => {
      using before = slice(x, 1, 2, 0);
      using doubled = add(x, x);
      const kept = slice(doubled, 2, 3, 0);
      using last = slice(doubled, 3, 4, 0);
      // Memory of what is disposed of serves others, unless a part of it lives.
      using other = mul(x, x);
      using rest = slice(other, 0, 1, 0);
      using both = add(before, last);
      return { kept, total: add(both, rest) };
    });
    const { kept, total } = sequence.result;
    for (let run = 1; run < 5; run++) {
      await engine.write(
        x,
        Float32Array.from({ length: 256 }, (_, i) => run * (1 + Math.floor(i / 64))),
      );
      sequence.run();
      expect([await valueOf(kept), await valueOf(total)]).toEqual([6 * run, 10 * run + run * run]);
    }
    kept.dispose();
    expect(() => sequence.run()).toThrow(/was disposed/);
    total.dispose();
  });
});

describe("parts on an engine that gets over the loss of its device", () => {
  gpuTest("come back with the whole, and what was written to them", async () => {
    for (const dtype of ["float32", "float16"] as const) {
      using engine = await createEngine({ recover: true });
      const row = dtype === "float32" ? 64 : 128;
      const x = engine.tensor(filled(3 * row, 1), [3, row], { dtype, keep: true });
      const part = slice(x, 1, 2, 0);
      using sequence = await engine.compile(() => {
        using own = slice(x, 0, 2, 0);
        using more = slice(own, 1, 2, 0);
        return add(more, part);
      });
      expect(await lose(engine)).toMatchObject({ restored: 1, lost: [{ shape: [1, row] }] });
      expect(await valueOf(part)).toBe(1);
      await engine.write(part, filled(row, 5));
      await lose(engine);
      expect((await x.data()).filter((_, i) => i % row === 0)).toEqual(Float32Array.of(1, 5, 1));
      sequence.run();
      expect(await valueOf(sequence.result)).toBe(10);
      x.dispose();
      await lose(engine).then(() => engine.finish().catch(() => undefined));
      expect(await valueOf(part)).toBe(5);
    }
  });

  gpuTest("are lost with it, until the whole has values again", async () => {
    using engine = await createEngine({ recover: true });
    const x = engine.tensor(filled(128, 1), [2, 64]);
    const part = slice(x, 1, 2, 0);
    expect((await lose(engine))?.lost).toHaveLength(1);
    await expect(part.data()).rejects.toThrow(DeviceLostError);
    await expect(engine.write(part, filled(64, 2))).rejects.toThrow(
      /of shape \[2, 64\] in float32, uploaded.*was lost/s,
    );
    await engine.write(x, filled(128, 3));
    expect(await valueOf(part)).toBe(3);
    // A snapshot of a part is one of the whole; later values of a part are not of its moment.
    await engine.snapshot(part);
    await engine.write(part, filled(64, 4));
    await lose(engine).then(() => engine.finish().catch(() => undefined));
    expect(await valuesOf(x)).toEqual([...filled(128, 3)]);
    deviceOf(engine).destroy();
    await engine.lost;
    using later = slice(x, 0, 1, 0);
    using sumOf = add(later, part);
    expect(await valueOf(sumOf)).toBe(6);
  });

  gpuTest("do not come back as the host wrote them, where an operation has changed the whole", async () => {
    using engine = await createEngine({ recover: true });
    const [x, change] = [1, 2].map((value) => engine.tensor(filled(128, value), [2, 64], { keep: true }));
    using part = slice(x, 1, 2, 0);
    accumulate({ x }, { x: change });
    await engine.write(part, filled(64, 9));
    expect((await lose(engine))?.lost).toHaveLength(1);
    await expect(part.data()).rejects.toThrow(/changed in place/);
    await engine.finish().catch(() => undefined);
  });
});

describe("an explanation", () => {
  gpuTest("shows a view that dispatches nothing and takes no memory", ({ bare: engine }) => {
    const w = engine.tensor(filled(2, 1), [2, 1, 1, 1]);
    const module = defineModule({
      kind: "slices",
      parameters: { w },
      forward(x) {
        using y = engine.conv2d(x, w);
        return slice(y, 1, 2);
      },
    });
    const explained = explainNetwork(module, [1, 1, 8, 8]);
    const [layer] = explained.layers;
    expect(layer.operations.map(({ name, bytes, plan }) => [name, bytes, plan?.dispatches.length])).toEqual([
      ["convolution", 512, 1],
      ["slice", 0, 0],
    ]);
    expect(layer).toMatchObject({ shape: [1, 1, 8, 8], bytes: 512, receptiveField: [1, 1, 1] });
    expect(explained.dispatches).toBe(1);
    expect(layer.operations[1].plan?.solver).toBe("view");
    expect(String(explained)).toContain("slices");
    w.dispose();
  });
});
