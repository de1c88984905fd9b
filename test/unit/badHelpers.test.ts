/** The plain functions, and createEngine, refuse what they are not made for by an error of ours, with rule and values. */
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  createEngine,
  dilatedExtent,
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

describe("createEngine", () => {
  test.each<[unknown, string]>([
    [null, "options is null; expected an object"],
    ["cpu", 'options is "cpu"; expected an object: { backend: "cpu" }'],
    [{ backend: "gpu" }, 'backend is "gpu"; expected "webgpu" or "cpu": did you mean "webgpu"?'],
    [{ backend: 5 }, "backend is 5"],
    [{ powerPreference: "high" }, 'powerPreference is "high"'],
    [{ powerpreference: "low-power" }, "unknown option powerpreference: did you mean powerPreference?"],
    [{ backend: "cpu", poolBytes: -1 }, "poolBytes is -1"],
    [{ backend: "cpu", poolBytes: 1n }, "poolBytes is 1n"],
    [{ backend: "cpu", poison: 1 }, "poison is 1; expected a boolean"],
    [{ backend: "cpu", development: "yes" }, 'development is "yes"; expected a boolean'],
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
