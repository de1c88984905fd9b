/** Sequences of operations recorded once and replayed. */
import { ArgumentError, DeviceError, type Engine, type Tensor, TensorError } from "webgpu-conv";
import { forward, makeProblem, weightGradient } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random, smallIntegers } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const INPUT = [2, 3, 9, 9];
const WIDE = [8, 3, 3, 3];
const NARROW = [4, 8, 1, 1];

const valuesOf = (shape: readonly number[], seed: number): Float32Array =>
  smallIntegers(
    new Random(seed),
    shape.reduce((size, extent) => size * extent, 1),
  );

interface Network extends Disposable {
  readonly x: Tensor;
  readonly wide: Tensor;
  readonly narrow: Tensor;
  /** Two layers; what is between them is disposed of. */
  readonly run: () => Tensor;
}

/** On an engine that does not poison: its operations share memory within a batch. */
function makeNetwork(engine: Engine): Network {
  const x = engine.tensor(valuesOf(INPUT, 1), INPUT);
  const wide = engine.tensor(valuesOf(WIDE, 2), WIDE);
  const narrow = engine.tensor(valuesOf(NARROW, 3), NARROW);
  const run = (): Tensor => {
    using hidden = engine.conv2d(x, wide, { padding: 1, activation: "relu" });
    return engine.conv2d(hidden, narrow);
  };
  return { x, wide, narrow, run, [Symbol.dispose]: () => [x, wide, narrow].forEach((tensor) => tensor.dispose()) };
}

function expectedOutput(input: ArrayLike<number>): number[] {
  const first = makeProblem(2, INPUT, WIDE, { padding: 1 });
  const hidden = forward(first, input, valuesOf(WIDE, 2)).map((value) => Math.max(0, value));
  const second = makeProblem(2, first.outputShape, NARROW);
  return [...forward(second, hidden, valuesOf(NARROW, 3))];
}

describe("engine.compile", () => {
  gpuTest("replays with what its inputs hold by then", async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared) });
    using network = makeNetwork(engine);
    using compiled = await engine.compile(network.run);
    const { result } = compiled;
    expect(compiled.dispatches).toBeGreaterThanOrEqual(2);
    for (const seed of [1, 10, 11]) {
      await engine.write(network.x, valuesOf(INPUT, seed));
      compiled.run();
      expect([...(await result.data())]).toEqual(expectedOutput(valuesOf(INPUT, seed)));
    }
    result.dispose();
  });

  gpuTest("keeps its place among other operations, many times in a batch", async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared) });
    using w = engine.tensor([2], [1, 1, 1, 1]);
    using state = engine.tensor([1, 2, 3], [1, 1, 1, 3]);
    using scaled = engine.conv2d(state, w);
    // Reads one result of an operation outside, and writes over its own.
    using compiled = await engine.compile(() => engine.conv2d(scaled, w));
    const { result } = compiled;
    const sums: Tensor[] = [];
    for (let i = 0; i < 100; i++) {
      compiled.run();
      if (i % 40 === 0) sums.push(engine.conv2d(result, w, { residual: scaled }));
    }
    for (const sum of sums) {
      expect([...(await sum.data())]).toEqual([10, 20, 30]);
      sum.dispose();
    }
    result.dispose();
  });

  gpuTest("replays a step of training: forward, gradients, and a layer's weight", async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared) });
    using network = makeNetwork(engine);
    const options = { padding: 1 };
    const problem = makeProblem(2, INPUT, WIDE, options);
    using compiled = await engine.compile(() => {
      using y = engine.conv2d(network.x, network.wide, options);
      return engine.conv2dBackward(y, network.x, network.wide, options);
    });
    compiled.run();
    const { input, weight, bias } = compiled.result;
    const y = forward(problem, valuesOf(INPUT, 1), valuesOf(WIDE, 2));
    expect([...(await weight.data())]).toEqual([...weightGradient(problem, y, valuesOf(INPUT, 1))]);
    [input, weight, bias].forEach((tensor) => tensor.dispose());
  });

  gpuTest("may dispose of what work before it still reads", async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared) });
    using w = engine.tensor([2], [1, 1, 1, 1]);
    const x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    using before = engine.conv2d(x, w);
    using compiled = await engine.compile(() => {
      x.dispose();
      // Of the same size: it gets the memory that x had.
      return engine.conv2d(engine.tensor([9, 9, 9, 9], [1, 1, 2, 2]), w);
    });
    expect([...(await before.data())]).toEqual([2, 4, 6, 8]);
    compiled.run();
    expect([...(await compiled.result.data())]).toEqual([18, 18, 18, 18]);
    compiled.result.dispose();
  });

  gpuTest("may throw, having disposed of what work before it still reads", async ({ engine: shared }) => {
    // Kernels of its own, which compile meanwhile: what was recorded waits for them.
    using engine = await createEngine({ device: deviceOf(shared) });
    using w = engine.tensor([2], [1, 1, 1, 1]);
    const x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    using before = engine.conv2d(x, w);
    const failing = engine.compile(() => {
      x.dispose();
      throw new Error("on purpose");
    });
    // Of the same size: it would get the memory that x had.
    using other = engine.tensor([9, 9, 9, 9], [1, 1, 2, 2]);
    await expect(failing).rejects.toThrow("on purpose");
    expect([...(await before.data())]).toEqual([2, 4, 6, 8]);
    expect([...(await other.data())]).toEqual([9, 9, 9, 9]);
  });

  gpuTest("goes into a caller's encoder too", async ({ engine: shared }) => {
    const device = deviceOf(shared);
    using engine = await createEngine({ device });
    using network = makeNetwork(engine);
    using compiled = await engine.compile(network.run);
    const encoder = device.createCommandEncoder();
    const { submitted } = await engine.encode(encoder, () => compiled.run());
    await expect(compiled.result.data()).rejects.toThrow(TensorError);
    device.queue.submit([encoder.finish()]);
    submitted();
    expect([...(await compiled.result.data())]).toEqual(expectedOutput(valuesOf(INPUT, 1)));
    compiled.result.dispose();
  });

  gpuTest("gives its memory back", async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared) });
    using network = makeNetwork(engine);
    const before = engine.memory();
    const compiled = await engine.compile(network.run);
    compiled.run();
    compiled.result.dispose();
    compiled.dispose();
    compiled.dispose();
    await engine.finish();
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, liveTensors: before.liveTensors });
  });
});

describe("a compiled sequence refuses", () => {
  gpuTest("results before the first run, and goes on", async ({ engine }) => {
    using network = makeNetwork(engine);
    using compiled = await engine.compile(network.run);
    const { result } = compiled;
    await expect(result.data()).rejects.toThrow(/a compiled sequence that has not run/);
    compiled.run();
    expect([...(await result.data())]).toEqual(expectedOutput(valuesOf(INPUT, 1)));
    result.dispose();
  });

  gpuTest("to run without a tensor that it reads, without a result, or disposed of", async ({ engine }) => {
    using network = makeNetwork(engine);
    using withoutInput = await engine.compile(network.run);
    using withoutResult = await engine.compile(() => engine.conv2d(network.x, network.wide));
    using disposed = await engine.compile(() => engine.conv2d(network.x, network.wide));
    disposed.dispose();
    expect(() => disposed.run()).toThrow(new TensorError("the compiled sequence was disposed; expected a live one"));
    withoutResult.result.dispose();
    expect(() => withoutResult.run()).toThrow(/^a tensor of the compiled sequence was disposed/);
    network.narrow.dispose();
    expect(() => withoutInput.run()).toThrow(/^a tensor of the compiled sequence was disposed/);
    withoutInput.result.dispose();
    disposed.result.dispose();
  });

  gpuTest("to run within the recording of another", async ({ engine }) => {
    using network = makeNetwork(engine);
    using inner = await engine.compile(network.run);
    await expect(engine.compile(() => inner.run())).rejects.toThrow(/^run\(\) of a compiled sequence was called while/);
    inner.run();
    expect([...(await inner.result.data())]).toEqual(expectedOutput(valuesOf(INPUT, 1)));
    inner.result.dispose();
  });

  gpuTest("a recording that throws, waits or reads back, and loses nothing", async ({ engine }) => {
    using network = makeNetwork(engine);
    const failing = engine.compile(() => {
      using hidden = engine.conv2d(network.x, network.wide, { padding: 1 });
      return engine.conv2d(hidden, network.wide);
    });
    await expect(failing).rejects.toThrow(/channels/);
    await expect(engine.compile(() => Promise.resolve(1))).rejects.toThrow(ArgumentError);
    using y = network.run();
    expect([...(await y.data())]).toEqual(expectedOutput(valuesOf(INPUT, 1)));
  });

  gpuTest("on the CPU, where there is nothing to replay", async () => {
    using cpu = await createEngine({ backend: "cpu" });
    await expect(cpu.compile(() => 1)).rejects.toThrow(DeviceError);
  });
});

describe("engine.write", () => {
  gpuTest("comes after operations recorded before, on either backend", async ({ engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    for (const each of [engine, cpu]) {
      using x = each.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
      using w = each.tensor([2], [1, 1, 1, 1]);
      using before = each.conv2d(x, w);
      await each.write(x, [5, 6, 7, 8]);
      using after = each.conv2d(x, w);
      expect([...(await before.data()), ...(await after.data())]).toEqual([2, 4, 6, 8, 10, 12, 14, 16]);
      expect([...(await x.data())]).toEqual([5, 6, 7, 8]);
    }
  });

  gpuTest("rounds to float16, and refuses what does not fit", async ({ engine }) => {
    using half = engine.tensor([1, 2, 3], [3], { dtype: "float16" });
    await engine.write(half, [0.1, 65_504, -1e9]);
    expect([...(await half.data())]).toEqual([0.0999755859375, 65_504, -Infinity]);
    await expect(engine.write(half, [1, 2])).rejects.toThrow(new ArgumentError("values has 2 values; expected 3"));
    const disposed = engine.tensor([1], [1]);
    disposed.dispose();
    await expect(engine.write(disposed, [1])).rejects.toThrow(TensorError);
  });
});
