/** Layers models of TensorFlow.js: what is read, in which order and layout, and what is wrong with others. */
import { describe, expect, test } from "vitest";
import { FileError, floatValues, type Graph, readLayersModel, readLayersStructure } from "webgpu-conv/io";
import { toHalfBits } from "../../../src/base/half.js";
import { Random } from "../../support/data.js";
import { KerasModel, shardsOf, textBytes } from "../../support/io/kerasModel.js";

const model = (): KerasModel =>
  new KerasModel(1)
    .add("Conv2D", "c", ["in"], { padding: "same" }, { kernel: [3, 2, 3, 4], bias: [4] })
    .add("Activation", "a", ["c"], { activation: "relu" })
    .add("Conv2D", "unread", ["c"], {}, { kernel: [1, 1, 4, 4], bias: [4] })
    .add("Add", "sum", ["c", "a"]);

const read = async (json: unknown, bytes: Uint8Array<ArrayBuffer>, at?: number): Promise<Graph> =>
  await readLayersModel(textBytes(json), shardsOf(bytes, at));

/** A model's JSON with a part of it changed. */
function changed(change: (config: { layers: Record<string, unknown>[] } & Record<string, unknown>) => void): unknown {
  const json = structuredClone(model().json(["sum"])) as {
    modelTopology: { model_config: { config: { layers: Record<string, unknown>[] } & Record<string, unknown> } };
  };
  change(json.modelTopology.model_config.config);
  return json;
}

describe("a model", () => {
  test("has what its outputs need, in order, and filters in PyTorch's layout", async () => {
    const keras = model();
    const graph = await read(keras.json(["sum"]), keras.bytes());
    expect(graph.nodes.map(({ name }) => name)).toEqual(["c", "a", "sum"]);
    expect(graph.inputs).toEqual([{ name: "in", shape: [undefined, undefined, undefined, 3] }]);
    expect([graph.outputs, [...graph.weights.keys()]]).toEqual([["sum"], ["c.weight", "c.bias"]]);
    const weight = graph.weights.get("c.weight");
    expect(weight?.shape).toEqual([4, 3, 3, 2]);
    const [values, stored] = [weight && floatValues(weight), keras.weight("c/kernel")];
    for (let out = 0; out < 4; out++)
      for (let c = 0; c < 3; c++)
        for (let tap = 0; tap < 6; tap++)
          expect(values?.[(out * 3 + c) * 6 + tap]).toBe(stored[(tap * 3 + c) * 4 + out]);
  });

  test("is the same wherever its bytes are divided, and however they come", async () => {
    const keras = model();
    const bytes = keras.bytes();
    const whole = await read(keras.json(["sum"]), bytes);
    for (const at of [0, 1, 3, 200, bytes.length]) {
      const graph = await read(keras.json(["sum"]), bytes, at);
      expect(graph.weights).toEqual(whole.weights);
    }
    const inPieces = await readLayersModel(new Blob([textBytes(keras.json(["sum"]))]), (path) =>
      Promise.resolve(new Blob([shardsOf(bytes)(path).slice()])),
    );
    expect(inPieces.weights).toEqual(whole.weights);
  });

  test("has a structure without its weights: the same but for zeros, and no more of them than 1 GiB", async () => {
    const keras = model();
    const whole = await read(keras.json(["sum"]), keras.bytes());
    const structure = await readLayersStructure(textBytes(keras.json(["sum"])));
    expect({ ...structure, weights: [] }).toEqual({ ...whole, weights: [] });
    const shapes = ({ weights }: Graph) => [...weights].map(([name, { shape }]) => [name, shape]);
    expect(shapes(structure)).toEqual(shapes(whole));
    for (const weight of structure.weights.values()) expect(new Set(floatValues(weight))).toEqual(new Set([0]));
    const json = keras.json(["sum"]) as { weightsManifest: { weights: { name: string; shape: number[] }[] }[] };
    const [group] = json.weightsManifest;
    group.weights[0] = { ...group.weights[0], shape: [2 ** 20, 2 ** 20] };
    const large = readLayersStructure(textBytes(json), "large.json");
    await expect(large).rejects.toThrow(FileError);
    await expect(large).rejects.toThrow(
      'large.json: weightsManifest lists 4,398,046,511,104 bytes up to "c/kernel"; expected at most 1,073,741,824',
    );
  });

  test("may be a sequence", async () => {
    const keras = model();
    const layers = [
      { class_name: "Conv2D", config: { name: "c", padding: "same", batch_input_shape: [null, 5, null, 3] } },
      { class_name: "Dropout", config: { name: "d" } },
      { class_name: "ReLU", config: { name: "r" } },
    ];
    for (const config of [layers, { name: "s", layers }]) {
      const json = keras.json([], { modelTopology: { class_name: "Sequential", config } });
      const graph = await read(json, keras.bytes());
      expect(graph.nodes.map(({ name, op }) => [name, op])).toEqual([
        ["c", "convolution"],
        ["r", "activation"],
      ]);
      expect(graph.inputs).toEqual([{ name: "c_input", shape: [undefined, 5, undefined, 3] }]);
      expect(graph.nodes[1]).toMatchObject({ x: "c", output: "r" });
    }
  });

  test("may have its weights quantised", async () => {
    const kept = new KerasModel(2).add("Dense", "d", ["in"], {}, { kernel: [2, 2], bias: [2] });
    const stored = [0, 1, 200, 255];
    for (const [dtype, bytes, expected] of [
      ["uint8", Uint8Array.from(stored), stored.map((q) => Math.fround(q * 0.125 - 3))],
      ["uint16", new Uint8Array(Uint16Array.from(stored).buffer), stored.map((q) => Math.fround(q * 0.125 - 3))],
      ["float16", new Uint8Array(Uint16Array.from([1, -2, 0.1, 0], toHalfBits).buffer), [1, -2, 0.0999755859375, 0]],
    ] as const) {
      const quantization = { dtype, scale: 0.125, min: -3, original_dtype: "float32" };
      const weights = [
        { name: "d/kernel", shape: [2, 2], dtype: "float32", quantization },
        { name: "d/bias", shape: [2], dtype: "float32" },
      ];
      const json = kept.json(["d"], { weightsManifest: [{ paths: ["a.bin", "b.bin"], weights }] });
      const graph = await read(json, new Uint8Array([...bytes, ...new Uint8Array(8)]));
      const weight = graph.weights.get("d.weight");
      const [a, b, c, d] = expected;
      expect(Array.from(weight ? floatValues(weight) : [])).toEqual([a, c, b, d]);
    }
  });
});

describe("a wrong model says what and where", () => {
  test.each([
    ["not JSON", "{", "model.json: is not JSON: SyntaxError"],
    ["a list", [], "model.json: holds []; expected an object with modelTopology"],
    ["a graph model", { format: "graph-model" }, 'has format "graph-model"; expected "layers-model"'],
    ["no layers", { modelTopology: {} }, "has class_name undefined; expected a text"],
    [
      "an unknown layer",
      changed(({ layers }) => (layers[1].class_name = "LSTM")),
      'layer "c" is a LSTM, which is not supported; expected one of Conv1D, Conv2D, Conv3D',
    ],
    [
      "an unknown activation",
      changed(({ layers }) => (layers[2].config = { name: "a", activation: "hard_sigmoid" })),
      'layer "a" (Activation) has activation "hard_sigmoid"; expected one of linear, relu',
    ],
    [
      "causal padding",
      changed(({ layers }) => (layers[1].config = { padding: "causal" })),
      'layer "c" (Conv2D) has padding "causal"; expected "same" or "valid"',
    ],
    [
      "strides that are none",
      changed(({ layers }) => (layers[1].config = { strides: [0, 1] })),
      'layer "c" (Conv2D) has strides [0, 1]; expected 2 integers of at least 1',
    ],
    [
      "a loop",
      changed(({ layers }) => (layers[1].inbound_nodes = [[["sum", 0, 0]]])),
      'has a loop through layer "sum" (Add)',
    ],
    [
      "a layer that is not there",
      changed(({ layers }) => (layers[2].inbound_nodes = [[["nowhere", 0, 0]]])),
      'has ["nowhere", 0, 0] in inbound_nodes of "a"; expected [name of a layer',
    ],
    [
      "another of a layer's results",
      changed(({ layers }) => (layers[2].inbound_nodes = [[["c", 0, 1]]])),
      'layer "a" (Activation) reads ["c", 0, 1]',
    ],
    ["two layers of a name", changed(({ layers }) => (layers[2].name = "c")), 'has two layers named "c"'],
    [
      "no outputs",
      changed((config) => (config.output_layers = [])),
      "has 1 input_layers and 0 output_layers; expected one or more of each",
    ],
    [
      "an Add of one",
      changed(({ layers }) => (layers[4].inbound_nodes = [[["c", 0, 0]]])),
      'layer "sum" (Add) has 1 inputs; expected two or more',
    ],
    [
      "a weight that is not there",
      changed(({ layers }) => (layers[1].name = "d")),
      'has ["c", 0, 0] in inbound_nodes of "a"',
    ],
  ])("%s", async (_, json, message) => {
    const error = await read(json, model().bytes()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FileError);
    expect((error as FileError).message).toContain(message);
  });

  test.each([
    [
      "an end within a weight",
      (bytes: Uint8Array<ArrayBuffer>) => bytes.slice(0, 301),
      'b.bin: ends at byte 151; weight "c/bias" has 3 bytes more',
    ],
    [
      "bytes behind the last weight",
      (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array([...bytes, 1]),
      "goes on at byte",
    ],
  ])("weights with %s", async (_, change, message) => {
    await expect(read(model().json(["sum"]), change(model().bytes()))).rejects.toThrow(message);
  });

  test.each([
    ["as integers", { name: "c/kernel", shape: [3, 2, 3, 4], dtype: "int32" }, 'weight "c/kernel" has dtype "int32"'],
    ["of absurd shapes", { name: "c/kernel", shape: [2 ** 40, 2 ** 40], dtype: "float32" }, "expected fewer elements"],
    ["of shapes beyond the file", { name: "c/kernel", shape: [2 ** 40], dtype: "float32" }, "ends at byte"],
    [
      "of negative extents",
      { name: "c/kernel", shape: [-3], dtype: "float32" },
      "has shape [-3]; expected a list of whole numbers",
    ],
    [
      "of too few axes",
      { name: "c/kernel", shape: [160], dtype: "float32" },
      'has "c/kernel" of shape [160]; expected 4 axes',
    ],
    ["under another name", { name: "k", shape: [160], dtype: "float32" }, 'has no weight "c/kernel" in the manifest'],
    [
      "quantised to what is not known",
      { name: "c/kernel", shape: [3, 2, 3, 4], dtype: "float32", quantization: { dtype: "int4" } },
      'is quantised to "int4"; expected uint8, uint16 or float16',
    ],
  ])("weights %s", async (_, weight, message) => {
    const json = model().json(["sum"], { weightsManifest: [{ paths: ["a.bin", "b.bin"], weights: [weight] }] });
    await expect(read(json, new Uint8Array(640))).rejects.toThrow(message);
  });

  test("a source that fails is told of, with its reason", async () => {
    const fails = (path: string): never => {
      throw new Error(`no ${path} here`);
    };
    await expect(readLayersModel(textBytes(model().json(["sum"])), fails)).rejects.toThrow("no a.bin here");
  });
});

test("2,000 damaged models are refused with an error of their own, or read", async () => {
  const random = new Random(5);
  const text = JSON.stringify(model().json(["sum"]));
  const bytes = model().bytes();
  let refused = 0;
  for (let i = 0; i < 2000; i++) {
    const at = random.integer(0, text.length - 1);
    const length = random.integer(0, 12);
    const inserted = random.pick([
      "",
      "0",
      "-1",
      "null",
      '"x"',
      "[",
      "}",
      "1e99",
      '"c"',
      "true",
      text.slice(at, at + 20),
    ]);
    const damaged = text.slice(0, at) + inserted + text.slice(at + length);
    try {
      const { nodes, outputs } = await readLayersModel(textBytes(damaged), shardsOf(bytes));
      expect(nodes.length + outputs.length).toBeGreaterThan(0);
    } catch (error) {
      if (!(error instanceof FileError)) throw new Error(`of ${damaged}`, { cause: error });
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(1000);
});
