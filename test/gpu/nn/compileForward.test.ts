/** Forward passes that are recorded once: their values, later weights, errors, and what they leave. */
import { activate, compileForward, disposeModule, layers, Random } from "webgpu-conv/nn";
import { createEngine, DeviceError, type Tensor } from "webgpu-conv";
import { describe, expect, test } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { KerasModel } from "../../support/io/kerasModel.js";
import { load } from "../../support/io/loadKeras.js";

const numbers = (count: number, seed: number): Float32Array<ArrayBuffer> => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.uniform(-1, 1));
};

describe("a recorded pass", () => {
  gpuTest("has the values of the network, run after run, with weights of the time", async ({ bare: engine }) => {
    const init = { engine, random: new Random(1) };
    const net = layers.sequential({
      conv: layers.conv2d(init, 3, 8, { kernel: 3, padding: 1, activation: "relu" }),
      pool: layers.maxPool({ kernel: 2 }),
      last: layers.conv2d(init, 8, 5, { kernel: 1 }),
    });
    const before = engine.memory();
    const pass = await compileForward(engine, { inputs: { x: [2, 3, 7, 9] }, compute: ({ x }) => net.forward(x) });
    for (const seed of [1, 2, 3]) {
      const values = numbers(2 * 3 * 7 * 9, seed);
      if (seed === 3) await engine.write(net.children.last.parameters.bias, numbers(5, 9));
      const running = pass.run({ x: values });
      const expected = await engine.scope((local) => net.forward(local.tensor(values, [2, 3, 7, 9])).data());
      values.fill(NaN);
      expect(await (await running).data()).toEqual(expected);
      expect((await pass.run()).shape).toEqual([2, 5, 3, 4]);
      expect(await pass.result.data()).toEqual(expected);
    }
    expect(pass.dispatches).toBeGreaterThan(2);
    pass.dispose();
    pass.dispose();
    await expect(pass.run()).rejects.toThrow("disposed");
    expect(engine.memory().liveTensors).toBe(before.liveTensors);
    disposeModule(net);
    expect(engine.memory().liveTensors).toBe(0);
  });

  gpuTest("takes several inputs, which keep their values, gives several results", async ({ bare: engine }) => {
    const pass = await compileForward(engine, {
      inputs: { a: [1, 1, 4], w: [2, 1, 3] },
      compute: ({ a, w }) => ({ y: engine.conv1d(a, w), z: engine.conv1d(a, w, { padding: 1 }) }),
    });
    await pass.run({ a: [1, 2, 3, 4], w: [1, 1, 1, 1, 0, -1] });
    expect(await pass.result.y.data()).toEqual(Float32Array.of(6, 9, -2, -2));
    await pass.run({ a: [0, 0, 1, 0] });
    expect(await pass.result.y.data()).toEqual(Float32Array.of(1, 1, -1, 0));
    expect(await pass.result.z.data()).toEqual(Float32Array.of(0, 1, 1, 1, 0, -1, 0, 1));
    pass.dispose();
    expect(engine.memory().liveTensors).toBe(0);
  });

  gpuTest("takes float16", async ({ bare: engine }) => {
    const options = { inputs: { x: [3] }, dtype: "float16" } as const;
    const pass = await compileForward(engine, { ...options, compute: ({ x }) => activate(x, "relu") });
    const y = await pass.run({ x: [-1, 0.1, 70_000] });
    expect(y.dtype).toBe("float16");
    // The neighbours of 0.1 are 2^-14 apart; beyond 65,504 there is infinity alone.
    expect(await y.data()).toEqual(Float32Array.of(0, Math.round(0.1 * 2 ** 14) / 2 ** 14, Infinity));
    pass.dispose();
    expect(engine.memory().liveTensors).toBe(0);
  });

  test("needs a GPU", async () => {
    using engine = await createEngine({ backend: "cpu" });
    const pass = compileForward(engine, { inputs: { x: [2] }, compute: ({ x }) => activate(x, "relu") });
    await expect(pass).rejects.toThrow(DeviceError);
    expect(engine.memory().liveTensors).toBe(0);
  });

  gpuTest("says what does not fit, and goes on", async ({ bare: engine }) => {
    const pass = await compileForward(engine, { inputs: { x: [2] }, compute: ({ x }) => activate(x, "relu") });
    await pass.run({ x: [-1, 1] });
    const before = await pass.result.data();
    await expect(pass.run({ y: [1, 2] } as never)).rejects.toThrow("run() got values for y; expected x");
    await expect(pass.run(3 as never)).rejects.toThrow("expected values by name: { x }");
    await expect(pass.run({ x: [1, 2, 3] })).rejects.toThrow("x");
    await expect(pass.run({ x: undefined } as never)).rejects.toThrow("run() lacks values for x");
    expect(await pass.result.data()).toEqual(before);
    pass.dispose();
    const of = (compute: unknown): Promise<unknown> =>
      compileForward(engine, { inputs: { x: [2] }, compute } as Parameters<typeof compileForward>[1]);
    await expect(of(3)).rejects.toThrow("compute is 3; expected a function of the inputs");
    await expect(of(() => 3)).rejects.toThrow("compute returned 3; expected a tensor, or tensors by name");
    const mixed = ({ x }: { x: Tensor }): object => ({ y: activate(x, "relu"), count: 3 });
    await expect(of(mixed)).rejects.toThrow("expected a tensor, or tensors by name");
    await expect(of(() => ({}))).rejects.toThrow("expected a tensor, or tensors by name");
    await expect(of(() => Promise.resolve())).rejects.toThrow("returned a promise");
    const failing = (): never => {
      engine.tensor([1]);
      throw new Error("no such layer");
    };
    await expect(of(failing)).rejects.toThrow("no such layer");
    await expect(compileForward(engine, { inputs: [2], compute: () => pass.result } as never)).rejects.toThrow(
      "inputs",
    );
    expect(engine.memory().liveTensors).toBe(0);
  });
});

describe("a network from a file", () => {
  gpuTest("is recorded for a size", async ({ bare: engine }) => {
    const keras = new KerasModel(3)
      .add("Conv2D", "first", ["in"], { padding: "same" }, { kernel: [3, 3, 3, 8], bias: [8] })
      .add("Conv2D", "out", ["first"], {}, { kernel: [1, 1, 8, 2], bias: [2] });
    const model = await load(engine, keras, ["out"]);
    const shape = [1, 6, 5, 3];
    const pass = await model.compile(shape);
    const values = numbers(90, 4);
    const [input, output] = [model.inputs[0].name, model.outputs[0]];
    await pass.run({ [input]: values });
    const expected = await engine.scope((local) => model.forward(local.tensor(values, shape)).data());
    expect(await pass.result[output].data()).toEqual(expected);
    pass.dispose();
    await expect(model.compile({ nothing: shape })).rejects.toThrow('inputs has ["nothing"]; expected ["');
    await expect(model.compile([1, 6, 5, 4])).rejects.toThrow("expected");
    await expect(model.compile(7 as never)).rejects.toThrow("inputs is 7");
    disposeModule(model);
    expect(engine.memory().liveTensors).toBe(0);
  });
});
