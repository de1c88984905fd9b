/** ONNX files: what is read of them, and what is wrong with others. */
import { describe, expect, test } from "vitest";
import { FileError, floatValues, readOnnx } from "webgpu-conv/io";
import { Random } from "../../support/data.js";
import { type ModelSpec, onnxFile } from "../../support/io/onnxFile.js";

const WEIGHT = { shape: [4, 3, 3, 3], data: Array.from({ length: 108 }, (_, i) => i / 64) };
const MODEL: ModelSpec = {
  inputs: { x: ["N", 3, "H", "W"] },
  outputs: ["y"],
  initialisers: { w: WEIGHT, b: { shape: [4], data: [1, 2, 3, 4], isList: true } },
  nodes: [
    { op: "Relu", inputs: ["z"], outputs: ["y"] },
    { op: "Conv", inputs: ["x", "w", "b"], outputs: ["z"], attributes: { pads: [1, 1, 1, 1], strides: [2, 1] } },
    { op: "Relu", inputs: ["x"], outputs: ["unread"] },
  ],
};
const one = (nodes: ModelSpec["nodes"], initialisers: ModelSpec["initialisers"] = {}): ModelSpec => ({
  inputs: { x: [1, 3, 4, 4] },
  outputs: ["y"],
  nodes,
  initialisers,
});

describe("a file", () => {
  test("has what its results need, in order; weights, and extents where it has them", async () => {
    const graph = await readOnnx(onnxFile(MODEL));
    expect(graph.inputs).toEqual([{ name: "x", shape: [undefined, 3, undefined, undefined] }]);
    expect(graph.nodes).toMatchObject([
      {
        op: "convolution",
        kind: "Conv",
        x: "x",
        weight: "w",
        bias: "b",
        output: "z",
        options: {
          stride: [2, 1],
          padding: [
            [1, 1],
            [1, 1],
          ],
        },
      },
      { op: "activation", kind: "Relu", x: "z", output: "y" },
    ]);
    const [w, b] = ["w", "b"].map((name) => graph.weights.get(name));
    expect(w && Array.from(floatValues(w))).toEqual(WEIGHT.data);
    expect(b && Array.from(floatValues(b))).toEqual([1, 2, 3, 4]);
  });

  test("may come in pieces, and have constants as nodes, of other types", async () => {
    const nodes: ModelSpec["nodes"] = [
      {
        op: "Constant",
        inputs: [],
        outputs: ["h"],
        attributes: {
          value: { tensor: { shape: [1, 3, 1, 1], data: [0x3c00, 0xc000, 0x3800], dtype: "float16-bits" } },
        },
      },
      {
        op: "Constant",
        inputs: [],
        outputs: ["d"],
        attributes: { value: { tensor: { shape: [], data: [0.5], dtype: "double" } } },
      },
      { op: "Mul", inputs: ["x", "h"], outputs: ["m"] },
      { op: "Add", inputs: ["d", "m"], outputs: ["y"] },
    ];
    const bytes = onnxFile(one(nodes));
    const graph = await readOnnx(new Blob([bytes.slice(0, 9), bytes.slice(9)]));
    expect(graph.nodes).toMatchObject([
      { op: "arithmetic", how: "mul", a: "x", b: { weight: "h" } },
      { op: "arithmetic", how: "add", a: 0.5, b: "m" },
    ]);
    const h = graph.weights.get("h");
    expect(h && Array.from(floatValues(h))).toEqual([1, -2, 0.5]);
  });

  test("has lists of values, of whole numbers beyond 32 bits too", async () => {
    const indices = (...data: number[]) =>
      ({ shape: [data.length], data, dtype: "int64", isList: data.length > 1 }) as const;
    const graph = await readOnnx(
      onnxFile(
        one([{ op: "Slice", inputs: ["x", "from", "to", "axes"], outputs: ["y"] }], {
          from: indices(1, -3),
          to: indices(3, 2 ** 53),
          axes: indices(1, 2),
        }),
      ),
    );
    expect(graph.nodes).toMatchObject([
      { op: "slice", x: "x", axis: 1, start: 1, end: 3, output: "y/0" },
      { op: "slice", x: "y/0", axis: 2, start: -3, end: undefined, output: "y" },
    ]);
  });
});

describe("a wrong file says what and where", () => {
  const conv = (attributes: NonNullable<ModelSpec["nodes"][0]["attributes"]>): ModelSpec =>
    one([{ op: "Conv", inputs: ["x", "w"], outputs: ["y"], attributes }], { w: WEIGHT });
  test.each<[string, ModelSpec, string]>([
    [
      "an unknown operator",
      one([{ op: "LSTM", inputs: ["x"], outputs: ["y"] }]),
      'node "LSTM of y" is a LSTM, which is not supported; expected one of Conv, ConvTranspose',
    ],
    [
      "another domain's",
      one([{ op: "Relu", inputs: ["x"], outputs: ["y"], domain: "com.acme" }]),
      "is a com.acme.Relu, which is not supported",
    ],
    [
      "an unknown attribute",
      conv({ weird: 1 }),
      'node "Conv of y" (Conv) has the attribute "weird", which is not supported; expected any of auto_pad',
    ],
    ["pads that are no pairs", conv({ pads: [1, 1] }), "has pads [1, 1]; expected 4 numbers, two an axis"],
    ["an unknown auto_pad", conv({ auto_pad: "MOST" }), 'has auto_pad "MOST"; expected NOTSET'],
    [
      "a filter that is computed",
      one([{ op: "Conv", inputs: ["x", "x"], outputs: ["y"] }]),
      'computes its input 1, "x"; expected a constant of the file',
    ],
    ["a missing input", one([{ op: "Conv", inputs: ["x"], outputs: ["y"] }]), "has 1 inputs; expected an input 1"],
    [
      "a value that nothing computes",
      one([{ op: "Relu", inputs: ["nowhere"], outputs: ["y"] }]),
      'reads "nowhere", which no node computes',
    ],
    [
      "a loop",
      one([
        { op: "Relu", inputs: ["z"], outputs: ["y"] },
        { op: "Relu", inputs: ["y"], outputs: ["z"] },
      ]),
      'has a loop through node "Relu of y" (Relu)',
    ],
    ["no results", { ...MODEL, outputs: [] }, "has no results; expected at least one"],
    [
      "a shape that is not that of the values",
      one([{ op: "PRelu", inputs: ["x", "s"], outputs: ["y"] }], { s: { shape: [3], data: [1] } }),
      'tensor "s" has 1 values; expected 3, for [3]',
    ],
    [
      "an absurd shape",
      one([{ op: "PRelu", inputs: ["x", "s"], outputs: ["y"] }], { s: { shape: [2 ** 30, 2 ** 30], data: [1] } }),
      "has 1 values; expected NaN",
    ],
    [
      "parts that are not those of the results",
      one([{ op: "Split", inputs: ["x", "s"], outputs: ["y"] }], { s: { shape: [2], data: [1, 2], dtype: "int64" } }),
      "has 1 results; expected 2",
    ],
    [
      "arithmetic of two constants",
      one(
        [
          { op: "Add", inputs: ["w", "w"], outputs: ["s"] },
          { op: "Mul", inputs: ["x", "s"], outputs: ["y"] },
        ],
        { w: WEIGHT },
      ),
      'node "Add of s" (Add) has two constants, ["w", "w"]; expected a value that is computed',
    ],
    [
      "more parts than there could be",
      one([{ op: "Split", inputs: ["x"], outputs: ["y"], attributes: { num_outputs: 2 ** 33 } }]),
      "has 1 results; expected 8589934592, its num_outputs",
    ],
  ])("%s", async (_, model, message) => {
    const error = await readOnnx(onnxFile(model), "m.onnx").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FileError);
    expect((error as FileError).message).toContain(message);
  });

  test("cut off anywhere", async () => {
    const bytes = onnxFile(MODEL);
    for (let length = 0; length < bytes.length; length++) {
      const graph = await readOnnx(bytes.slice(0, length)).catch((thrown: unknown) => thrown);
      // What ends between two fields of the model itself lacks but the version.
      if (!(graph instanceof FileError)) expect(bytes.length - length).toBeLessThan(8);
    }
  });
});

test("10,000 damaged files are refused with an error of their own, or read, in memory that they justify", async () => {
  const random = new Random(3);
  const bytes = onnxFile(MODEL);
  let refused = 0;
  for (let i = 0; i < 10_000; i++) {
    const damaged = bytes.slice();
    for (let changes = random.integer(1, 4); changes > 0; changes--)
      damaged[random.integer(0, damaged.length - 1)] = random.integer(0, 255);
    try {
      const { weights } = await readOnnx(damaged);
      for (const tensor of weights.values()) expect(tensor.bytes.length).toBeLessThan(bytes.length);
    } catch (error) {
      if (!(error instanceof FileError)) throw new Error(`of ${damaged.join()}`, { cause: error });
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(1000);
});
