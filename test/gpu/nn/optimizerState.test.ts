/** What optimizers keep: saved and loaded, and brought back after the loss of a device. */
import { adam, adamw, type Optimizer, sgd } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { lose } from "../../support/losses.js";
import {
  disposeAll,
  type Named,
  type NamedTensors,
  NAMES,
  randomValues,
  readAll,
  tensorsOf,
} from "../../support/nn/namedTensors.js";

describe("state", () => {
  gpuTest("a run that is interrupted goes on bit for bit", async ({ bare: engine }) => {
    for (const dtype of ["float32", "float16"] as const) {
      for (const make of [
        (parameters: NamedTensors) => sgd(engine, parameters, { lr: 0.01, momentum: 0.9, dampening: 0.1 }),
        (parameters: NamedTensors) => adamw(engine, parameters, { amsgrad: true, clipNorm: 2, skipNonFinite: true }),
      ]) {
        const random = new Random(13);
        const initial = randomValues(random);
        const values = [1, 2, 3, 4, 5, 6].map(() => randomValues(random));
        const tensors = (from: Named): NamedTensors => tensorsOf(engine, from, dtype);
        const steps = (optimizer: Optimizer, from: number, to: number): void => {
          for (let t = from; t < to; t++) {
            const gradients = tensors(values[t]);
            optimizer.step(gradients);
            disposeAll(gradients);
          }
        };
        const straight = tensors(initial);
        const first = make(straight);
        steps(first, 0, 3);
        first.lr = 0.003;
        const { tensors: kept, ...plain } = first.state();
        const saved = { plain: JSON.stringify(plain), kept: await readAll(kept), parameters: await readAll(straight) };
        const shapes = Object.fromEntries(Object.entries(kept).map(([name, { shape }]) => [name, shape]));
        disposeAll(kept);
        steps(first, 3, 6);

        const resumed = tensors(saved.parameters);
        const second = make(resumed);
        const loaded = Object.fromEntries(
          Object.entries(saved.kept).map(([name, data]) => [name, engine.tensor(data, shapes[name])]),
        );
        second.load({ ...(JSON.parse(saved.plain) as typeof plain), tensors: loaded });
        disposeAll(loaded);
        expect(second.lr).toBe(0.003);
        steps(second, 3, 6);
        expect(await readAll(resumed)).toEqual(await readAll(straight));
        expect(await second.progress()).toEqual(await first.progress());
        const [a, b] = [first.state().tensors, second.state().tensors];
        expect(await readAll(b)).toEqual(await readAll(a));
        for (const all of [a, b, straight, resumed]) disposeAll(all);
        first.dispose();
        second.dispose();
      }
    }
  });

  gpuTest("float32 and float16 parameters side by side are as each type by itself", async ({ bare: engine }) => {
    const types = ["float32", "float16"] as const;
    const names = Object.fromEntries(NAMES.map((name, i) => [name, types[i % 2]]));
    const random = new Random(19);
    const initial = randomValues(random);
    const gradients = [1, 2, 3].map(() => randomValues(random));
    const tensors = (values: Named, kinds: readonly string[]): NamedTensors =>
      Object.assign(
        {},
        ...types
          .filter((dtype) => kinds.includes(dtype))
          .map((dtype) => {
            const own = Object.entries(values).filter(([name]) => names[name] === dtype);
            return tensorsOf(engine, Object.fromEntries(own), dtype);
          }),
      ) as NamedTensors;
    const run = async (kinds: readonly string[]): Promise<readonly [Named, Named]> => {
      const parameters = tensors(initial, kinds);
      using optimizer = adamw(engine, parameters, { amsgrad: true });
      // Rates, progress, and the state of each type.
      expect(optimizer.tensors.length).toBe(2 + kinds.length);
      for (const values of gradients) {
        const given = tensors(values, kinds);
        optimizer.step(given);
        disposeAll(given);
      }
      const { tensors: kept } = optimizer.state();
      const results = [await readAll(parameters), await readAll(kept)] as const;
      disposeAll({ ...kept });
      disposeAll(parameters);
      return results;
    };
    const [[values, kept], [singles, keptOfSingles], [halves, keptOfHalves]] = [
      await run(types),
      await run(["float32"]),
      await run(["float16"]),
    ];
    expect(values).toEqual({ ...singles, ...halves });
    expect(kept).toEqual({ ...keptOfSingles, ...keptOfHalves });
  });

  gpuTest("has a tensor of the parameter's shape for each of its sections", ({ bare: engine }) => {
    using w = engine.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    using half = engine.tensor([1, 2], [2], { dtype: "float16" });
    const namesOf = (optimizer: Optimizer): Record<string, readonly number[]> => {
      const { tensors } = optimizer.state();
      disposeAll(tensors);
      optimizer.dispose();
      return Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
    };
    const counts = { steps: [1], skipped: [1] };
    expect(namesOf(sgd(engine, { w, half }, { lr: 1 }))).toEqual({ ...counts, "half.master": [2] });
    expect(namesOf(sgd(engine, { w }, { lr: 1, momentum: 0.5 }))).toEqual({ ...counts, "w.momentumBuffer": [2, 3] });
    expect(namesOf(adam(engine, { w, half }, { amsgrad: true, frozen: ["half"] }))).toEqual({
      ...counts,
      "w.expAvg": [2, 3],
      "w.expAvgSq": [2, 3],
      "w.maxExpAvgSq": [2, 3],
    });
  });

  gpuTest("is refused where it does not fit, and nothing changes", async ({ bare: engine }) => {
    using w = engine.tensor([1, 2], [2]);
    using g = engine.tensor([1, 1], [2]);
    using other = engine.tensor([1], [1]);
    using optimizer = sgd(engine, { w }, { lr: 1, momentum: 0.5 });
    optimizer.step({ w: g });
    const state = optimizer.state();
    const { "w.momentumBuffer": buffer, ...counts } = state.tensors;
    expect(() => optimizer.load({ ...state, name: "adam" })).toThrow('state is of "adam"; expected that of sgd');
    expect(() => optimizer.load({ ...state, tensors: counts })).toThrow('state.tensors["w.momentumBuffer"] is missing');
    expect(() => optimizer.load({ ...state, tensors: { ...counts, "w.momentumBuffer": other } })).toThrow(
      'state.tensors["w.momentumBuffer"] has shape [1]; expected [2]',
    );
    expect(() => optimizer.load({ ...state, tensors: { ...state.tensors, "v.momentumBuffer": buffer } })).toThrow(
      'state.tensors["v.momentumBuffer"] is of no parameter of this optimizer',
    );
    expect(() => optimizer.load({ ...state, lr: NaN })).toThrow("state.lr is NaN");
    using foreign = await createEngine();
    const gone = engine.tensor([1, 2], [2]);
    gone.dispose();
    for (const [wrong, message] of [
      [gone, 'state.tensors["w.momentumBuffer"] of shape [2] was disposed'],
      [foreign.tensor([1, 2], [2]), 'state.tensors["w.momentumBuffer"] of shape [2] belongs to another engine'],
      [optimizer.tensors[2], 'state.tensors["w.momentumBuffer"] is the optimizer\'s own memory'],
    ] as const) {
      const tensors = { steps: other, skipped: other, "w.momentumBuffer": wrong };
      expect(() => optimizer.load({ ...state, lr: 0.5, tensors })).toThrow(message);
    }
    expect(optimizer.lr).toBe(1);
    expect((await optimizer.progress()).skipped).toBe(0);
    optimizer.step({ w: g });
    expect([...(await w.data())]).toEqual([1 - 1 - 1.5, 2 - 1 - 1.5]);
    disposeAll({ ...state.tensors });
  });
});

describe("a lost device", () => {
  gpuTest("the rate is what the host set last, set again or not", async () => {
    using engine = await createEngine({ recover: true });
    const w = engine.tensor([1], [1], { keep: true });
    const g = engine.tensor([1], [1], { keep: true });
    const optimizer = sgd(engine, { w }, { lr: 0.5 });
    await engine.snapshot([w, ...optimizer.tensors]);
    optimizer.lr = 0.25;
    optimizer.gradientScale = 3;
    await engine.finish();
    expect((await lose(engine))?.lost).toEqual([]);
    optimizer.step({ w: g });
    expect([...(await w.data())]).toEqual([1 - 0.25 * 3]);
    optimizer.lr = 0.25;
    optimizer.step({ w: g });
    expect([...(await w.data())]).toEqual([1 - 2 * 0.25 * 3]);
  });

  gpuTest("a recorded step goes on from a snapshot, to the same bits", async () => {
    const run = async (isLost: boolean): Promise<Named> => {
      using engine = await createEngine({ recover: true });
      const random = new Random(17);
      const initial = randomValues(random);
      const values = [1, 2, 3, 4].map(() => randomValues(random));
      const parameters = tensorsOf(engine, initial);
      const gradients = tensorsOf(engine, values[0]);
      const optimizer = adamw(engine, parameters, { clipNorm: 1, lr: 0.02 });
      const step = await engine.compile(() => optimizer.step(gradients));
      for (const [t, own] of values.entries()) {
        if (t === 2) {
          optimizer.lr = 0.01;
          await engine.snapshot([...Object.values(parameters), ...optimizer.tensors]);
          if (isLost) expect((await lose(engine))?.lost.length).toBe(NAMES.length);
        }
        for (const name of NAMES) await engine.write(gradients[name], own[name]);
        step.run();
      }
      expect(await optimizer.progress()).toMatchObject({ steps: 4, skipped: 0 });
      return await readAll(parameters);
    };
    expect(await run(true)).toEqual(await run(false));
  });
});
