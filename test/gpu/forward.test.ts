/** The engine of `webgpu-conv/forward`: what it has it does as a whole engine does, to the bit. */
import { createEngine, ForwardEngine } from "webgpu-conv/forward";
import { DeviceError, Engine, type ForwardOptions, SolverError, TensorError } from "webgpu-conv";
import { describe, expect, test } from "vitest";
import { Random } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const random = new Random(20);
const reals = (size: number): Float32Array => Float32Array.from({ length: size }, () => 2 * random.next() - 1);
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b);

interface Layer {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly options: ForwardOptions;
}

const LAYERS: Readonly<Record<string, Layer>> = {
  "a line, dilated": { x: [2, 3, 20], w: [4, 3, 3], options: { dilation: 2, padding: "same" } },
  "the textbook's layer": { x: [1, 3, 7, 7], w: [2, 3, 3, 3], options: { stride: 2, padding: 1, activation: "relu" } },
  "a layer that Winograd takes": { x: [1, 16, 16, 16], w: [16, 16, 3, 3], options: { padding: 1, activation: "silu" } },
  "a depthwise layer, reflected": {
    x: [1, 4, 9, 9],
    w: [4, 1, 3, 3],
    options: { groups: 4, padding: 1, paddingMode: "reflect" },
  },
  "a pointwise layer, channels last": {
    x: [2, 5, 5, 8],
    w: [6, 8, 1, 1],
    options: { layout: "channels-last", solver: "direct" },
  },
  "a volume": { x: [1, 2, 4, 5, 6], w: [3, 2, 2, 3, 3], options: { stride: [1, 2, 1] } },
};

/** The values of a layer with a bias, by an engine. */
async function valuesOf(
  engine: ForwardEngine,
  { x, w, options }: Layer,
  [xs, ws, biases]: readonly Float32Array[],
  dtype: "float32" | "float16",
): Promise<number[]> {
  const y = engine.scope((local) => {
    const convolve = `conv${String(x.length - 2)}d` as "conv1d" | "conv2d" | "conv3d";
    const bias = local.tensor(biases, [w[0]], { dtype });
    return local[convolve](local.tensor(xs, x, { dtype }), local.tensor(ws, w, { dtype }), { ...options, bias });
  });
  const values = [...(await y.data())];
  y.dispose();
  return values;
}

describe("an engine for forward passes", () => {
  describe.each(["float32", "float16"] as const)("in %s", (dtype) => {
    for (const [name, layer] of Object.entries(LAYERS)) {
      gpuTest(`computes ${name} as a whole engine does`, async ({ engine }) => {
        using forward = await createEngine({ device: deviceOf(engine) });
        const data = [reals(sizeOf(layer.x)), reals(sizeOf(layer.w)), reals(layer.w[0])];
        const expected = await valuesOf(engine, layer, data, dtype);
        expect(await valuesOf(forward, layer, data, dtype)).toEqual(expected);
        expect(forward.memory().liveTensors).toBe(0);
      });
    }
  });

  gpuTest("writes, submits, shares buffers and gives back, and leaves a caller's device alone", async ({ engine }) => {
    const forward = await createEngine({ device: deviceOf(engine), poison: true, debug: true });
    const x = forward.tensor([[1, 2]]);
    await forward.write(x, [3, 4]);
    await forward.submit();
    await forward.finish();
    expect([...(await x.data())]).toEqual([3, 4]);
    expect(x.binding().size).toBe(8);
    expect(forward.memory().liveTensors).toBe(1);
    forward.dispose();
    expect(() => forward.tensor([1])).toThrow(TensorError);
    using after = engine.tensor([5]);
    expect([...(await after.data())]).toEqual([5]);
  });

  gpuTest("names its own solvers where another is asked for", async ({ engine }) => {
    using forward = await createEngine({ device: deviceOf(engine) });
    using x = forward.tensor([1], [1, 1, 1, 1]);
    expect(() => forward.conv2d(x, x, { solver: "direct-weight-gradient" })).toThrow(SolverError);
    expect(() => forward.conv2d(x, x, { solver: "fft" })).toThrow(/there are rolling-window, .*, direct$/);
  });

  test("has what a whole engine has, and no more", async () => {
    using forward = await createEngine({ backend: "cpu" });
    using engine: ForwardEngine = forward.scope();
    expect(engine).toBeInstanceOf(ForwardEngine);
    expect(Engine.prototype).toBeInstanceOf(ForwardEngine);
    for (const method of ["conv2dBackward", "convTranspose2d", "activate", "image", "explain", "compile", "tuning"])
      expect(engine).not.toHaveProperty(method);
  });

  test("on the CPU convolves, and has no buffers", async () => {
    using forward = await createEngine({ backend: "cpu" });
    const y = forward.conv2d(forward.tensor([2], [1, 1, 1, 1]), forward.tensor([3], [1, 1, 1, 1]));
    expect([...(await y.data())]).toEqual([6]);
    expect(() => y.binding()).toThrow(DeviceError);
  });

  test("takes no options of tuning", async () => {
    await expect(createEngine({ tune: "off" } as object)).rejects.toThrow("unknown option tune");
  });
});
