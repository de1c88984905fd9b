/** The plain functions, and createEngine, refuse what they are not made for by an error of ours, with rule and values. */
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  createEngine,
  dilatedExtent,
  indexedDbStore,
  layerBytes,
  memoryStore,
  multiplyAdds,
  outputSize,
  parameterCount,
  product,
  receptiveField,
  samePadding,
  sameTotalPadding,
  unsharedParameterCount,
} from "webgpu-conv";
import * as reference from "webgpu-conv/reference";
import { fileStore } from "../../src/node/fileStore.js";
import { wrong } from "../support/wrong.js";

const LAYER = { inChannels: 3, outChannels: 4, kernel: [3, 3] };

describe("geometry", () => {
  test.each<[() => unknown, string]>([
    [() => outputSize(wrong(7n), { kernel: 3 }), "input is 7n"],
    [() => outputSize(wrong(Symbol("7")), { kernel: 3 }), "input is Symbol(7)"],
    [() => outputSize(wrong(Object.create(null)), { kernel: 3 }), "input is object"],
    [() => outputSize(7, wrong(undefined)), "axis is undefined; expected an object"],
    [() => outputSize(7, wrong(3)), "axis is 3; expected an object: { kernel: 3 }"],
    [() => outputSize(7, wrong({})), "kernel is undefined"],
    [() => outputSize(7, wrong({ kernel: 3, strides: 2 })), "unknown key of axis, strides: did you mean stride?"],
    [() => outputSize(7, wrong({ kernel_size: 3 })), "unknown key of axis, kernel_size: did you mean kernel?"],
    [() => outputSize(7, { kernel: 3, padding: wrong("same") }), 'padding is "same"; expected an integer, or two'],
    [() => outputSize(7, { kernel: 3, padding: wrong([1]) }), "padding is [1]"],
    [() => outputSize(7, { kernel: 3, padding: wrong([1, 2n]) }), "padding is 2n"],
    [() => outputSize(7, { kernel: 3, stride: wrong(null) }), "stride is null"],
    [() => dilatedExtent(wrong("3")), 'kernel is "3"'],
    [() => samePadding(3, wrong(1n)), "dilation is 1n"],
    [() => sameTotalPadding(7, wrong({ kernel: 3, padding: 1 })), "unknown key of axis, padding"],
    [() => sameTotalPadding(7, { kernel: 3 }, wrong("lower")), 'lower is "lower"; expected a boolean'],
    [() => parameterCount(wrong(null)), "layer is null; expected an object"],
    [() => parameterCount({ ...LAYER, kernel: wrong(3) }), "kernel is 3; expected a list of extents"],
    [() => parameterCount({ ...LAYER, kernel: [] }), "kernel is []"],
    [() => parameterCount({ ...LAYER, kernel: new Array<number>(2) }), "kernel[0] is undefined"],
    [() => parameterCount({ ...LAYER, kernel: wrong(new BigInt64Array(2)) }), "kernel is BigInt64Array"],
    [() => parameterCount({ ...LAYER, bias: wrong(1) }), "bias is 1; expected a boolean"],
    [() => parameterCount(wrong({ ...LAYER, filters: 4 })), "filters: did you mean outChannels?"],
    [() => unsharedParameterCount(LAYER, wrong(7)), "output is 7"],
    [() => multiplyAdds(LAYER, wrong([7n, 7])), "output[0] is 7n"],
    [() => multiplyAdds(LAYER, [7, 0]), "output[1] is 0"],
    [() => layerBytes(LAYER, [7, 7], [5, 5], wrong("2")), 'batch is "2"'],
    [() => layerBytes(LAYER, [7, 7], [5, 5], 1, NaN), "bytesPerElement is NaN"],
    [() => receptiveField(wrong({ kernel: 3 })), "stack is Object; expected a list of layers"],
    [() => receptiveField([{ kernel: 3 }, wrong(3)]), "stack[1] is 3; expected an object: { kernel: 3 }"],
    [() => receptiveField([wrong({ kernel: 3, rate: 2 })]), "unknown key of stack[0], rate: did you mean dilation?"],
    [() => receptiveField([{ kernel: 3, padding: wrong(1.5) }]), "padding is 1.5"],
    [() => product(wrong("12")), 'values is "12"'],
    [() => product(wrong([2, 3n])), "values[1] is 3n"],
    [() => product(wrong(undefined)), "values is undefined"],
  ])("%s", (call, message) => {
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(message);
  });

  test("extents may be in typed arrays, and a layer of a stack may have padding", () => {
    expect(parameterCount({ ...LAYER, kernel: Uint8Array.of(3, 3) }).total).toBe(112);
    expect(multiplyAdds(LAYER, Int32Array.of(5, 5))).toBe(2700);
    expect(outputSize(7, { kernel: 3, padding: wrong(Int8Array.of(1, 0)) })).toBe(6);
    expect(
      receptiveField([
        { kernel: 3, padding: 1 },
        { kernel: 3, padding: [0, -1] },
      ]),
    ).toEqual({ size: 5, jump: 1 });
  });
});

describe("the reference", () => {
  const problem = reference.makeProblem(2, [1, 2, 4, 4], [3, 2, 3, 3]);
  const [x, w, dy] = [new Float32Array(32), new Float32Array(54), new Float32Array(12)];

  test.each<[() => unknown, string]>([
    [() => reference.makeProblem(wrong("2"), [1], [1]), 'rank is "2"; expected 1, 2 or 3'],
    [() => reference.makeProblem(2, [1, 2, 4, 4], [3, 2, 3, 3], wrong(null)), "options is null"],
    [() => reference.makeProblem(2, [1, 2, 4, 4], [3, 2, 3, 3], wrong({ strides: 2 })), "did you mean stride?"],
    [
      () => reference.makeProblem(2, [1, 2, 4, 4], [3, 2, 3, 3], wrong({ activation: "relu" })),
      "activation: it belongs to a pass, and not to the problem",
    ],
    [() => reference.makeTransposedProblem(2, [1, 3, 2, 2], [3, 2, 3, 3], { groups: wrong(1n) }), "groups is 1n"],
    [() => reference.forward(wrong({}), x, w), "problem is Object; expected what makeProblem gives"],
    [() => reference.forward(problem, x, wrong(undefined)), "w is undefined; expected numbers"],
    [() => reference.forward(problem, x.subarray(1), w), "x has 31 values; expected 1 * 2 * 4 * 4 = 32"],
    [() => reference.forward(problem, wrong(new BigInt64Array(32)), w), "x is BigInt64Array"],
    [() => reference.forward(problem, wrong([...x].map(String)), w), 'x[0] is "0"; expected a number'],
    [() => reference.forward(problem, x, w, wrong({ biases: x })), "unknown key of extras, biases: did you mean bias?"],
    [() => reference.forward(problem, x, w, { bias: [1] }), "bias has 1 values; expected 3"],
    [() => reference.weightGradient(problem, x, dy), "x has 12 values"],
    [() => reference.errorBound(problem, wrong("backward"), {}), 'direction is "backward"'],
    [() => reference.errorBound(problem, "forward", { x }), "w is undefined"],
    [() => reference.winogradErrorBound(problem, "forward", { x, w }, wrong(3)), "tile is 3; expected 2 or 4"],
    [() => reference.compare(x, x, [1]), "bound has 1 values; expected 32"],
    [() => reference.compare(wrong(null), x, 0), "actual is null"],
    [() => reference.slopeGradient(dy, dy, wrong({ count: 0, stride: 1 })), "channels.count is 0"],
  ])("%s", (call, message) => {
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(message);
  });
});

describe("stores", () => {
  test("are where there is something to keep them in", async () => {
    expect(() => indexedDbStore(wrong(5))).toThrow(ArgumentError);
    await expect(indexedDbStore().load()).rejects.toThrow("there is no IndexedDB here");
    expect(() => fileStore(wrong(1))).toThrow(ArgumentError);
    expect(() => fileStore(wrong(undefined))).toThrow("path is undefined; expected a file's path");
  });
});

describe("createEngine", () => {
  test.each<[unknown, string]>([
    [null, "options is null; expected an object"],
    ["cpu", 'options is "cpu"; expected an object: { backend: "cpu" }'],
    [{ backend: "gpu" }, 'backend is "gpu"; expected "webgpu" or "cpu": did you mean "webgpu"?'],
    [{ backend: 5 }, "backend is 5"],
    [{ powerPreference: "high" }, 'powerPreference is "high"'],
    [
      { deviceClass: "radeon" },
      'deviceClass is "radeon"; expected "nvidia", "amd-rdna", "amd-apu", "amd-gcn", "intel-xe-lp", "intel-xe-hpg", ' +
        '"intel-xe2", "apple", "adreno", "mali", "software", "unknown"',
    ],
    [{ deviceClass: "Apple" }, '"unknown": did you mean "apple"?'],
    [{ backend: "cpu", deviceClass: 7 }, "deviceClass is 7"],
    [{ powerpreference: "low-power" }, "unknown option powerpreference: did you mean powerPreference?"],
    [{ backend: "cpu", poolBytes: -1 }, "poolBytes is -1"],
    [{ backend: "cpu", poolBytes: 1n }, "poolBytes is 1n"],
    [{ backend: "cpu", poison: 1 }, "poison is 1; expected a boolean"],
    [{ backend: "cpu", development: "yes" }, 'development is "yes"; expected a boolean'],
    [{ backend: "cpu", debug: 1 }, "debug is 1; expected a boolean"],
    [{ backend: "cpu", tune: true }, "tune is true"],
    [{ backend: "cpu", tune: "firstUse" }, 'did you mean "first-use"?'],
    [{ backend: "cpu", tuningStore: {} }, "tuningStore is Object; expected a store, such as memoryStore() gives"],
    [{ backend: "cpu", tuningStore: memoryStore }, "tuningStore is function memoryStore"],
    [{ backend: "cpu", onWarning: "console" }, 'onWarning is "console"; expected a function'],
    [{ device: {} }, "device is Object; expected a GPUDevice"],
    [{ device: null }, "device is null; expected a GPUDevice"],
    [
      { backend: "cpu", device: { createBuffer: () => 0, createComputePipelineAsync: () => 0 } },
      'backend is "cpu", and a device is given',
    ],
  ])("%o", async (options, message) => {
    await expect(createEngine(wrong(options))).rejects.toThrow(ArgumentError);
    await expect(createEngine(wrong(options))).rejects.toThrow(message);
  });

  test("an option that is undefined is absent", async () => {
    using engine = await createEngine(wrong({ backend: "cpu", device: undefined, tune: undefined, pool: undefined }));
    expect(engine.adapter.backend).toBe("cpu");
  });
});
