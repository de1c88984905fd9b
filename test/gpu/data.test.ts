/** What `tensor` and `write` take: every form gives its values, on the device and on the CPU; all else is refused with its place. */
import { ArgumentError, createEngine, type Engine, type TensorData, type TensorOptions } from "webgpu-conv";
import { createEngine as createGpuEngine } from "test-engine";
import { describe, expect, test } from "vitest";
import { badCall, testRefusals, wrong } from "../support/badCall.js";
import { gpuTest } from "../support/gpuTest.js";

interface Taken {
  readonly data: TensorData;
  readonly values: readonly number[];
  readonly shape?: readonly number[];
  readonly options?: TensorOptions;
  /** That of the tensor, where the data says it. */
  readonly gives?: readonly number[];
}

// Pages that are not isolated have shared memory by this way only.
const sharedBuffer = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer;
const shared = new Float32Array(sharedBuffer, 0, 4);
shared.set([1, 2, 3, 4]);
/** 1, -2, infinity, the least positive one, and 0.1 rounded. */
const HALVES = Uint16Array.of(0x3c00, 0xc000, 0x7c00, 1, 0x2e66);
const HALF_VALUES = [1, -2, Infinity, 2 ** -24, 0.0999755859375];
const half = { dtype: "float16" } as const;

const resizable = (values: readonly number[]): Float32Array => {
  const buffer = Reflect.construct(ArrayBuffer, [4 * values.length, { maxByteLength: 64 }]) as ArrayBuffer;
  const array = new Float32Array(buffer);
  array.set(values);
  return array;
};

const TAKEN: Readonly<Record<string, Taken>> = {
  "numbers, infinities and NaN too": {
    data: [1.5, -0, Infinity, NaN],
    shape: [2, 2],
    values: [1.5, -0, Infinity, NaN],
  },
  "a frozen array, with a typed array as shape": {
    data: Object.freeze([1, 2, 3]),
    shape: wrong(Int32Array.of(3, 1)),
    values: [1, 2, 3],
    gives: [3, 1],
  },
  "numbers without a shape": { data: [1, 2, 3], values: [1, 2, 3], gives: [3] },
  "arrays of arrays without a shape": {
    data: [
      [1, 2, 3],
      [4, 5, 6],
    ],
    values: [1, 2, 3, 4, 5, 6],
    gives: [2, 3],
  },
  "four levels with their shape": {
    data: [
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ],
    shape: [1, 1, 2, 2],
    values: [1, 2, 3, 4],
  },
  "rows for a shape that splits them": {
    data: [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ],
    shape: [2, 1, 2, 2],
    values: [1, 2, 3, 4, 5, 6, 7, 8],
  },
  "rows for a shape that joins them": {
    data: [
      [1, 2],
      [3, 4],
    ],
    shape: [4],
    values: [1, 2, 3, 4],
  },
  "an array of typed arrays": {
    data: [Float32Array.of(1, 2), Int8Array.of(-3, 4)],
    values: [1, 2, -3, 4],
    gives: [2, 2],
  },
  "numbers rounded to float32": { data: [0.1], values: [Math.fround(0.1)] },
  "numbers rounded to float16 once": {
    // Rounded to float32 first, this would be a tie, and go to 1.
    data: [1 + 2 ** -11 + 2 ** -40, 65_520, 2049],
    options: half,
    values: [1 + 2 ** -10, Infinity, 2048],
  },
  "Float32Array within its buffer": { data: new Float32Array([9, 1, 2, 9]).subarray(1, 3), values: [1, 2] },
  Float64Array: { data: Float64Array.of(0.1, 1e300), values: [Math.fround(0.1), Infinity] },
  "Float64Array to float16": { data: Float64Array.of(1 + 2 ** -11 + 2 ** -40), options: half, values: [1 + 2 ** -10] },
  Int8Array: { data: Int8Array.of(-128, 127), values: [-128, 127] },
  Uint8Array: { data: Uint8Array.of(0, 255), values: [0, 255] },
  "Uint8ClampedArray to float16": { data: Uint8ClampedArray.of(0, 255, 1), options: half, values: [0, 255, 1] },
  Int16Array: { data: Int16Array.of(-32_768), values: [-32_768] },
  "Uint16Array, integers in float32": { data: Uint16Array.of(0x3c00), values: [0x3c00] },
  Int32Array: { data: Int32Array.of(-(2 ** 31)), values: [-(2 ** 31)] },
  "Uint32Array to float16": { data: Uint32Array.of(2049, 2 ** 31), options: half, values: [2048, Infinity] },
  "shared memory": { data: shared, shape: [1, 1, 2, 2], values: [1, 2, 3, 4] },
  "shared memory to float16": { data: shared, options: half, values: [1, 2, 3, 4] },
  "memory that may grow": { data: resizable([1, 2, 3]), values: [1, 2, 3] },
  "float16 bits": { data: HALVES, options: half, values: HALF_VALUES },
  "float16 bits, said so": { data: HALVES, options: { ...half, bits: "float16" }, values: HALF_VALUES },
  "float16 bits to float32": { data: HALVES, options: { bits: "float16" }, values: HALF_VALUES },
  "rows of float16 bits": { data: [HALVES, HALVES], options: half, values: [...HALF_VALUES, ...HALF_VALUES] },
  "bfloat16 bits": { data: Uint16Array.of(0x3f80, 0x4049), options: { bits: "bfloat16" }, values: [1, 3.140625] },
  "bfloat16 bits to float16": {
    data: [Uint16Array.of(0x3f80, 0x4049, 0x7f7f)],
    options: { ...half, bits: "bfloat16" },
    values: [1, 3.140625, Infinity],
  },
};

interface Float16Class {
  of(...values: number[]): TensorData;
}
const { Float16Array: Halves } = globalThis as { readonly Float16Array?: Float16Class };
const withFloat16: Readonly<Record<string, Taken>> = Halves
  ? {
      Float16Array: { data: Halves.of(0.1, -2), values: [0.0999755859375, -2] },
      "Float16Array to float16": { data: Halves.of(0.1, -2, 3), options: half, values: [0.0999755859375, -2, 3] },
    }
  : {};

async function expectTaken(engine: Engine, { data, values, shape, options, gives }: Taken): Promise<void> {
  using made = engine.tensor(data, shape, options);
  expect(made.shape).toEqual(gives ?? shape ?? made.shape);
  expect(Array.from(await made.data())).toEqual(values);
  using written = engine.tensor(new Float32Array(made.size), made.shape, options?.dtype && { dtype: options.dtype });
  await engine.write(written, data, options?.bits && { bits: options.bits });
  expect(Array.from(await written.data())).toEqual(values);
}

describe("data is taken, by tensor and by write", () => {
  for (const [name, taken] of Object.entries({ ...TAKEN, ...withFloat16 })) {
    gpuTest(name, async ({ engine }) => {
      await expectTaken(engine, taken);
      using cpu = await createEngine({ backend: "cpu" });
      await expectTaken(cpu, taken);
    });
  }

  gpuTest("at the call: what changes afterwards does not matter", async ({ engine }) => {
    const values = Float32Array.of(1, 2);
    using x = engine.tensor(values);
    using y = engine.tensor([0, 0]);
    const written = engine.write(y, values);
    values.fill(9);
    await written;
    expect([await x.data(), await y.data()]).toEqual([Float32Array.of(1, 2), Float32Array.of(1, 2)]);
  });
});

test("lists of another realm are lists", async () => {
  // A frame's in a page; elsewhere there is none to be had without Node's own modules.
  if (typeof document === "undefined") return;
  const frame = document.createElement("iframe");
  document.body.append(frame);
  const evaluate = Reflect.get(frame.contentWindow ?? window, "eval") as (code: string) => TensorData;
  using engine = await createGpuEngine();
  using x = engine.tensor(evaluate("[[1, 2], [3, 4]]"), wrong(evaluate("[1, 1, 2, 2]")));
  using w = engine.tensor(evaluate("new Float32Array([2])"), wrong(evaluate("Int32Array.of(1, 1, 1, 1)")));
  using y = engine.conv2d(x, w, { stride: wrong(evaluate("[1, 1]")) });
  expect(await y.data()).toEqual(Float32Array.of(2, 4, 6, 8));
  frame.remove();
});

describe("shapes and hyperparameters may be typed arrays", () => {
  gpuTest("of a layer and its gradients", async ({ engine, capabilities }) => {
    expect(capabilities).toBeDefined();
    using x = engine.tensor(new Float32Array(50).fill(1), Int32Array.of(1, 2, 5, 5));
    using w = engine.tensor(new Float32Array(18).fill(1), Uint8Array.of(1, 2, 3, 3));
    const options = {
      stride: Int32Array.of(2, 1),
      dilation: Float64Array.of(1, 1),
      padding: [Int8Array.of(1, 0), Int8Array.of(0, 1)],
    } as const;
    using y = engine.conv2d(x, w, options);
    expect(y.shape).toEqual([1, 1, 2, 4]);
    using same = engine.conv2d(x, w, {
      stride: [2, 1],
      padding: [
        [1, 0],
        [0, 1],
      ],
    });
    expect(await y.data()).toEqual(await same.data());
    using dx = engine.conv2dInputGradient(y, w, Int32Array.from(x.shape), options);
    using dw = engine.conv2dWeightGradient(y, x, Int32Array.from(w.shape), options);
    expect([dx.shape, dw.shape]).toEqual([x.shape, w.shape]);
    using up = engine.convTranspose2d(y, w, { stride: 2, outputSize: Int32Array.of(6, 10) });
    expect(up.shape).toEqual([1, 2, 6, 10]);
    const shapes = { input: Int32Array.from(x.shape), weight: Int32Array.from(w.shape) };
    expect(engine.explain("conv2d", shapes, options).problem.outputShape).toEqual(y.shape);
  });
});

const refused = (name: string, data: unknown, says: readonly RegExp[], ...rest: readonly unknown[]): Refused => ({
  name,
  data,
  says,
  rest,
});
interface Refused {
  readonly name: string;
  readonly data: unknown;
  readonly says: readonly RegExp[];
  readonly rest: readonly unknown[];
}

const cyclic: unknown[] = [];
cyclic.push(cyclic, cyclic);
let deep: unknown = 1;
for (let i = 0; i < 20_000; i++) deep = [deep];
const detached = Float32Array.of(1, 2);
structuredClone(detached, { transfer: [detached.buffer] });

const REFUSED: readonly Refused[] = [
  refused("bigints in a typed array", new BigInt64Array(2), [/data is BigInt64Array/, /Float32Array\.from/], [2]),
  refused("a bigint", [1, 2n], [/data\[1\] is 2n?; expected a number/], [2]),
  refused("text among numbers", [1, "2"], [/data\[1\] is "2"; expected a number/], [2]),
  refused("text in a row", [[1], ["x"]], [/data\[1\]\[0\] is "x"; expected a number/]),
  refused("text", "12", [/data is "12"; expected an array/], [2]),
  refused("a number", 1, [/data is 1; expected an array/], [1]),
  refused("null", null, [/data is null/], [1]),
  refused("a hole", wrong([1, , 3]), [/data\[1\] is undefined; expected a number/], [3]),
  refused("undefined", [undefined, 2], [/data\[0\] is undefined/], [2]),
  refused("null among numbers", [1, null], [/data\[1\] is null/], [2]),
  refused("a boxed number", [Object(1)], [/data\[0\] is Number; expected a number/], [1]),
  refused("an object that says NaN", [1, {}], [/data\[1\] is Object/], [2]),
  refused("nested where a number is due", [1, [2]], [/data\[1\] is \[2\]; expected a number/], [2]),
  refused("a number where a row is due", [[1, 2], 3], [/data\[1\] is 3; expected an array of 2/]),
  refused("rows of different lengths", [[1, 2], [3]], [/data\[1\] has 1 entries; expected 2/], [2, 2]),
  refused("rows of different lengths, of the right count", [[1, 2], [3]], [/data\[1\] has 1/], [3]),
  refused(
    "nesting of different depths",
    [
      [1, 2],
      [[3], 4],
    ],
    [/data\[1\]\[0\] is \[3\]; expected a number/],
  ),
  refused("typed rows of different lengths", [[Int8Array.of(1)], [Int8Array.of(1, 2)]], [/data\[1\]\[0\] has 2/]),
  refused("a typed row where rows are due", [[[1]], Int8Array.of(1)], [/data\[1\] is Int8Array/]),
  refused("a row of bigints", [[1], new BigInt64Array(1)], [/data\[1\] is BigInt64Array/]),
  refused(
    "rows that are columns of the shape",
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    [/nested as \[3, 2\]; expected \[2, 3\]/],
    [2, 3],
  ),
  refused("too few rows", [[1, 2]], [/1 \* 2 = 2 values; expected 2 \* 2 = 4/], [2, 2]),
  refused("one that contains itself", cyclic, [/deeper than 32 levels/], [2]),
  refused("20,000 levels", deep, [/deeper than 32 levels/], [1]),
  refused("a buffer", new ArrayBuffer(8), [/data is ArrayBuffer; expected a typed array/], [2]),
  refused("a shared buffer", sharedBuffer, [/data is SharedArrayBuffer; expected a typed array/], [2]),
  refused("a view", new DataView(new ArrayBuffer(8)), [/data is DataView; expected a typed array/], [2]),
  refused("what was transferred away", detached, [/data has 0 values; expected 2/], [2]),
  refused(
    "something like an array",
    { length: 2, 0: 1, 1: 2 },
    [/data is Object; expected an array: Array\.from/],
    [2],
  ),
  refused("a set", new Set([1, 2]), [/data is Set; expected an array: Array\.from/], [2]),
  refused("a promise", Promise.resolve([1]), [/data is Promise; .*await/], [1]),
  refused("floats said to be bits", Float32Array.of(1), [/Uint16Array.*bits is "float16"/], [1], { bits: "float16" }),
  refused("numbers said to be bits", [0x3f80], [/data\[0\] is 16256.*Uint16Array/], [1], { bits: "bfloat16" }),
  refused("an unknown kind of bits", Uint16Array.of(1), [/bits is "float8"/, /"bfloat16"/], [1], { bits: "float8" }),
  refused("a shape with a hole", [1, 2], [/shape \[2, .*integer/], wrong([2, , 1])),
  refused("a shape of bigints", [1, 2], [/shape is BigInt64Array/], BigInt64Array.of(2n)),
];

testRefusals({
  "tensor refuses": REFUSED.map(({ name, data, says, rest }) =>
    badCall(name, ArgumentError, says, (engine) => engine.tensor(wrong(data), ...(rest as [never, never]))),
  ),
});

describe("refused data", () => {
  gpuTest("is refused by write too, and takes no memory", async ({ engine }) => {
    await engine.finish();
    const before = engine.memory();
    for (const { data, rest } of REFUSED)
      expect(() => engine.tensor(wrong(data), ...(rest as [never, never]))).toThrow();
    const large = new BigInt64Array(2 ** 21);
    for (let i = 0; i < 8; i++) expect(() => engine.tensor(wrong(large), [large.length])).toThrow(ArgumentError);
    expect(engine.memory()).toEqual(before);
    using x = engine.tensor([1, 2, 3, 4], [2, 2]);
    for (const { data, rest } of REFUSED.filter(({ rest }) => rest.length < 2)) {
      if (String(rest[0]) === "2,2" || rest.length === 0) {
        await expect(engine.write(x, wrong(data))).rejects.toBeInstanceOf(ArgumentError);
      }
    }
    await expect(engine.write(x, wrong([1, 2, "3", 4]))).rejects.toThrow('values[2] is "3"; expected a number');
    expect(await x.data()).toEqual(Float32Array.of(1, 2, 3, 4));
  });
});
