/** What is no tensor, no recording, no canvas and no GPU object is refused by an error of ours that says what to do. */
import { describe, expect } from "vitest";
import { ArgumentError, Compiled, type Engine, Engine as EngineClass, Tensor } from "webgpu-conv";
import { badCall, testRefusals, wrong } from "../support/badCall.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const LOOKALIKE = Object.create(Tensor.prototype) as Tensor;

/** As a second copy of the library would make it: the same class' name, other private fields. */
const foreign = new (class Tensor {
  readonly shape = [1, 4, 5, 5];
  readonly dtype = "float32";
})();

testRefusals({
  "tensors that are none": [
    badCall("of their prototype", ArgumentError, [/x is Tensor/, /loaded twice/], (engine, { w }) =>
      engine.conv2d(LOOKALIKE, w),
    ),
    badCall("of another copy of the library", ArgumentError, [/w is Tensor/, /loaded twice/], (engine, { x }) =>
      engine.conv2d(x, wrong(foreign)),
    ),
    badCall("behind a proxy", ArgumentError, [/x is Tensor/], (engine, { x, w }) => engine.conv2d(new Proxy(x, {}), w)),
    badCall("as a bias", ArgumentError, [/bias is Tensor/], (engine, { x, w }) =>
      engine.conv2d(x, w, { bias: LOOKALIKE }),
    ),
    badCall("disposed of", ArgumentError, [/this is Tensor/], () => LOOKALIKE.dispose()),
    badCall("asked for their binding", ArgumentError, [/this is Tensor/], () => LOOKALIKE.binding()),
    badCall("asked whether they are disposed of", ArgumentError, [/this is Tensor/], () => LOOKALIKE.disposed),
    badCall("constructed", ArgumentError, [/engine\.tensor/], () => Reflect.construct(Tensor, [])),
  ],
  "a class of ours constructed": [
    badCall("an engine", ArgumentError, [/createEngine/], () => Reflect.construct(EngineClass, [])),
    badCall("a sequence", ArgumentError, [/engine\.compile/], () => Reflect.construct(Compiled, [])),
  ],
});

describe("what waits rejects", () => {
  const refusal = async (pending: Promise<unknown>, says: RegExp): Promise<void> => {
    const error: unknown = await pending.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ArgumentError);
    expect(String(error)).toMatch(says);
  };

  gpuTest("without a function to record", async ({ engine }) => {
    const encoder = deviceOf(engine).createCommandEncoder();
    for (const record of [undefined, null, 5, "conv2d", {}, Promise.resolve()]) {
      await refusal(engine.compile(wrong(record)), /^ArgumentError: record is .*; expected a function/);
      await refusal(engine.encode(encoder, wrong(record)), /record is .*; expected a function/);
      await refusal(engine.time(wrong(record)), /record is .*; expected a function/);
    }
  });

  gpuTest("with a generator, of which nothing would run", async ({ engine }) => {
    const steps = function* (): Generator<number> {
      yield 1;
    };
    await refusal(engine.compile(steps), /is a generator/);
    await refusal(engine.time(steps), /is a generator/);
  });

  // An async function's own failure must not become a rejection that nobody handles: the run would fail of it.
  gpuTest("with a function that is async, and keeps nothing of it", async ({ engine }) => {
    using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    using w = engine.tensor([1], [1, 1, 1, 1]);
    const encoder = deviceOf(engine).createCommandEncoder();
    const ways = [
      (record: () => unknown) => engine.compile(record),
      (record: () => unknown) => engine.encode(encoder, record),
      (record: () => unknown) => engine.time(record),
    ];
    const { liveTensors } = engine.memory();
    const recordings = [
      () => Promise.resolve(engine.conv2d(x, w)),
      () => Promise.reject(new Error("nobody hears of this")),
      () => ({
        made: engine.conv2d(x, w),
        then: (_: unknown, fail: (error: Error) => void) => fail(new Error("nor this")),
      }),
    ];
    for (const way of ways) {
      for (const record of recordings) await refusal(way(record), /returned a promise/);
    }
    expect(engine.memory().liveTensors).toBe(liveTensors);
    using y = engine.conv2d(x, w);
    expect([...(await y.data())]).toEqual([1, 2, 3, 4]);
  });

  gpuTest("for a lookalike of a tensor", async ({ engine }) => {
    await refusal(LOOKALIKE.data(), /this is Tensor/);
    await refusal(engine.check(LOOKALIKE), /tensor is Tensor/);
    await refusal(engine.write(LOOKALIKE, [1]), /tensor is Tensor/);
    await refusal(engine.draw(LOOKALIKE, wrong(null)), /tensor is Tensor/);
  });

  gpuTest("what cannot be drawn on, and says what can", async ({ engine }) => {
    using map = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    const draw = (target: unknown): Promise<void> => engine.draw(map, wrong(target));
    const configure = /canvas\.getContext\("webgpu"\), and configure\(\{ device: engine\.device, format \}\)/;
    class HTMLCanvasElement {
      getContext(): undefined {
        return undefined;
      }
    }
    await refusal(draw(new HTMLCanvasElement()), configure);
    await refusal(draw({ canvas: new HTMLCanvasElement(), fillRect: () => undefined }), configure);
    const unconfigured = {
      getCurrentTexture: () => {
        throw new Error("InvalidStateError: not configured");
      },
    };
    await refusal(draw(unconfigured), /gives no texture; .*configure\(\{ device.*InvalidStateError/);
    for (const target of [null, undefined, 5, "canvas", 3n, {}, { getCurrentTexture: 5 }, { createView: true }]) {
      await refusal(draw(target), /target is .*; expected a GPUCanvasContext or a GPUTexture/);
    }
    await refusal(draw({ createView: () => undefined, usage: 16n }), /usage is 16n/);
  });

  gpuTest("drawing options of another kind", async ({ engine }) => {
    using map = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    const draw = (options: object): Promise<void> => engine.draw(map, wrong(null), wrong(options));
    await refusal(draw({ channel: null }), /channel is null/);
    await refusal(draw({ channel: [0, 0n, 0] }), /channel is \[0, 0n, 0\]/);
    await refusal(draw({ range: 1 }), /range is 1/);
    await refusal(draw({ range: [0, 1, 2] }), /range is \[0, 1, 2\]/);
    await refusal(draw({ viewport: null }), /viewport is null/);
    await refusal(draw({ viewport: [0, 0, 1n, 1] }), /viewport is \[0, 0, 1n, 1\]/);
    await refusal(draw({ sample: 0n }), /sample is 0n/);
    await refusal(draw({ colormap: "gray" }), /colormap: did you mean colors\?/);
  });
});

gpuTest("a getter or a recording of the caller's that throws is the caller's", async ({ engine }) => {
  using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
  const own = new Error("the caller's own");
  const fail = (): never => {
    throw own;
  };
  const options = {
    get stride(): number {
      return fail();
    },
  };
  expect(() => engine.conv2d(x, x, options)).toThrow(own);
  expect(() => engine.conv2d(x, x, new Proxy({}, { getPrototypeOf: fail }))).toThrow(own);
  await expect(engine.compile(fail)).rejects.toBe(own);
  await expect(engine.time(fail)).rejects.toBe(own);
  // Even where it has no text.
  const mute: unknown = Object.create(null);
  const throwMute = (): never => {
    throw mute;
  };
  await expect(engine.compile(throwMute)).rejects.toBe(mute);
});

const image = { data: new Uint8ClampedArray(16), width: 2, height: 2 };

testRefusals({
  images: [
    ["a list with a hole", [image, , image], /image is undefined/],
    ["bigints for a size", { ...image, width: 2n }, /2n x 2 pixels/],
    ["bytes that are no bytes", { ...image, data: new Float32Array(16) }, /data is Float32Array/],
    ["a texture of nothing", { createView: () => undefined, width: 1, height: 1, format: 5 }, /format is 5/],
    ["an object of some size", { width: 2, height: 2 }, /cannot be read|expected ImageData/],
  ].map(([name, source, says]) =>
    badCall(name as string, ArgumentError, [says as RegExp], (engine: Engine) => engine.image(wrong(source))),
  ),
  wrapping: [
    badCall("an object with a size and a usage", ArgumentError, [/buffer is Object; expected a GPUBuffer/], (engine) =>
      engine.wrap(wrong({ size: 64, usage: 128 }), [4]),
    ),
  ],
});
