/** A network's state: from files and other networks by name, and to files; what does not fit is refused before anything changes. */
import type { Engine, Tensor } from "webgpu-conv";
import { floatTensor, readSafetensors, type SafeTensor, writeSafetensors } from "webgpu-conv/io";
import {
  adam,
  defineModule,
  disposeModule,
  layers,
  loadState,
  type Module,
  Random,
  readCheckpoint,
  readTensors,
  saveState,
  stateOf,
  Tape,
  writeCheckpoint,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { gpuTest } from "../../support/gpuTest.js";
import { lose } from "../../support/losses.js";

function makeNet(engine: Engine, seed: number, dtype: "float32" | "float16" = "float32"): Module {
  const init = { engine, random: new Random(seed), dtype };
  return layers.sequential({
    conv1: layers.conv2d(init, 1, 2, { kernel: 3 }),
    bn1: layers.batchNorm(init, 2),
    pool: layers.globalPool(),
    fc: layers.linear(init, 2, 3),
  });
}

const NAMES = [
  ...["conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"],
  ...["fc.weight", "fc.bias"],
];

const tensorsIn = async (file: Uint8Array): Promise<ReadonlyMap<string, SafeTensor>> =>
  (await readSafetensors(file)).tensors;

/** Without one of them. */
const leftOut = (tensors: ReadonlyMap<string, SafeTensor>, name: string): Map<string, SafeTensor> =>
  new Map([...tensors].filter(([one]) => one !== name));

describe("a network's state", () => {
  gpuTest("goes to a file and back, bit for bit", async ({ bare: engine }) => {
    const [from, to] = [makeNet(engine, 1), makeNet(engine, 2)];
    const file = await saveState(from);
    expect(await saveState(to)).not.toEqual(file);
    const { tensors, metadata } = await readSafetensors(file);
    expect([...tensors.keys()]).toEqual(NAMES);
    expect(metadata).toEqual({ format: "pt" });
    expect(await loadState(to, tensors)).toEqual({ missing: [], unexpected: [] });
    expect(await saveState(to)).toEqual(file);
    disposeModule(from);
    disposeModule(to);
  });

  gpuTest("goes to another network, of another type and on another engine", async ({ bare: engine }) => {
    using other = await createEngine();
    const from = makeNet(engine, 3);
    for (const own of [engine, other]) {
      const half = makeNet(own, 4, "float16");
      await loadState(half, stateOf(from));
      const file = await tensorsIn(await saveState(half));
      expect([...file].map(([name, { dtype }]) => [name, dtype])).toEqual(
        // Those of norms are float32 always; elements of more bytes come first.
        [...NAMES]
          .sort((a, b) => Number(b.startsWith("bn1")) - Number(a.startsWith("bn1")))
          .map((name) => [name, name.startsWith("bn1") ? "F32" : "F16"]),
      );
      const exact = await readTensors(stateOf(from));
      for (const [name, { dtype, shape, bytes }] of file) {
        const { buffer } = new Uint8Array(exact.get(name)?.bytes ?? []);
        expect([shape, bytes]).toEqual([shape, floatTensor(new Float32Array(buffer), shape, dtype as "F32").bytes]);
      }
      // And back, where float32 has all of float16.
      const back = makeNet(own, 5);
      await loadState(back, file);
      await loadState(half, stateOf(back));
      expect(await tensorsIn(await saveState(half))).toEqual(file);
      disposeModule(half);
      disposeModule(back);
    }
    disposeModule(from);
  });

  gpuTest("is PyTorch's: bfloat16, and counts of batches that are passed over", async ({ bare: engine }) => {
    const net = makeNet(engine, 6);
    const tensors = new Map(await tensorsIn(await saveState(net)));
    tensors.set("fc.bias", { dtype: "BF16", shape: [3], bytes: Uint8Array.of(0x80, 0x3f, 0x00, 0xc0, 0x40, 0x40) });
    tensors.set("bn1.num_batches_tracked", { dtype: "I64", shape: [], bytes: new Uint8Array(8) });
    expect(await loadState(net, tensors)).toEqual({ missing: [], unexpected: [] });
    expect([...(await stateOf(net)["fc.bias"].data())]).toEqual([1, -2, 3]);
    disposeModule(net);
  });

  gpuTest("may have any of the names that a shared tensor has", async ({ bare: engine }) => {
    const weight = engine.tensor([1, 2], [2]);
    const one = (): Module => defineModule({ kind: "part", parameters: { weight }, forward: (x) => x });
    const net = layers.sequential({ a: one(), b: one() });
    const value = floatTensor(Float32Array.of(3, 4), [2]);
    expect(Object.keys(stateOf(net))).toEqual(["a.weight"]);
    await loadState(net, { "b.weight": value });
    await loadState(net, { "a.weight": value, "b.weight": value });
    expect([...(await weight.data())]).toEqual([3, 4]);
    await expect(loadState(net, {})).rejects.toThrow('it misses "a.weight"');
    disposeModule(net);
  });

  gpuTest("is refused where it does not fit, with all that is wrong, and nothing changes", async ({ bare: engine }) => {
    const net = makeNet(engine, 7);
    const before = await saveState(net);
    const file = await tensorsIn(await saveState(net));
    const ones = (shape: number[]): SafeTensor =>
      floatTensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape);
    const changed = new Map([...file.keys()].map((name) => [name, ones([...(file.get(name)?.shape ?? [])])]));
    const wrong = leftOut(changed, "fc.bias")
      .set("fc.bais", ones([3]))
      .set("fc.weight", ones([2, 3]));
    await expect(loadState(net, wrong)).rejects.toThrow(
      'the state does not fit the module: it misses "fc.bias"; has in excess "fc.bais"; ' +
        'has "fc.weight" of shape [2, 3], expected [3, 2]; strict: false goes by the names that fit',
    );
    await expect(loadState(net, wrong, { strict: false })).rejects.toThrow(
      /^the state does not fit the module: it has "fc.weight" of shape \[2, 3\], expected \[3, 2\]$/,
    );
    const integers: SafeTensor = { dtype: "I32", shape: [3], bytes: new Uint8Array(12) };
    const gone = engine.tensor([1, 1, 1], [3]);
    gone.dispose();
    const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`x${String(i)}`, ones([1])]));
    for (const [tensors, message] of [
      [leftOut(changed, "").set("fc.bias", integers), 'it has "fc.bias" as I32, expected F32, F16, BF16 or F64'],
      [new Map<string, SafeTensor | Tensor>(changed).set("fc.bias", gone), "fc.bias of shape [3] was disposed"],
      [{ ...Object.fromEntries(changed), ...many }, '"x6", "x7" and 2 more'],
      [{ "fc.bias": 1 }, "fc.bias"],
      [7, "tensors is 7; expected a map or an object of tensors by name"],
      [undefined, "tensors is undefined"],
      [gone, "tensors is Tensor"],
    ] as const) {
      await expect(loadState(net, tensors as Map<string, SafeTensor>)).rejects.toThrow(message);
    }
    await expect(loadState(net, changed, { stict: true } as never)).rejects.toThrow("did you mean strict?");
    using x = engine.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]);
    using tape = new Tape(engine);
    let loading: Promise<unknown> = Promise.resolve();
    tape
      .run(() => {
        loading = loadState(net, changed);
        loading.catch(() => undefined);
        return net.children.conv1.forward(x);
      })
      .dispose();
    await expect(loading).rejects.toThrow("loadState was called while a tape records");
    expect(await saveState(net)).toEqual(before);
    disposeModule(net);
  });

  gpuTest("goes by the names that fit, where that is asked for", async ({ bare: engine }) => {
    const net = makeNet(engine, 8);
    const [weight, bias] = [await stateOf(net)["fc.weight"].data(), Float32Array.of(1, 2, 3)];
    const given = { "fc.bias": floatTensor(bias, [3]), "head.bias": floatTensor(bias, [3]) };
    expect(await loadState(net, given, { strict: false })).toEqual({
      missing: NAMES.filter((name) => name !== "fc.bias"),
      unexpected: ["head.bias"],
    });
    expect(await stateOf(net)["fc.bias"].data()).toEqual(bias);
    expect(await stateOf(net)["fc.weight"].data()).toEqual(weight);
    disposeModule(net);
  });

  gpuTest("is what comes back after the loss of a device", async () => {
    using engine = await createEngine({ recover: true });
    const net = makeNet(engine, 9);
    const file = await saveState(makeNet(engine, 10));
    await loadState(net, await tensorsIn(file));
    await lose(engine);
    expect(await saveState(net)).toEqual(file);
  });

  gpuTest("goes into a checkpoint, with the optimizer's", async ({ bare: engine }) => {
    const net = makeNet(engine, 11);
    using optimizer = adam(engine, stateOf(net));
    const { tensors, ...plain } = optimizer.state();
    const all = { ...stateOf(net), ...Object.fromEntries(Object.entries(tensors).map(([k, v]) => [`adam.${k}`, v])) };
    const file = writeCheckpoint({ tensors: await readTensors(all), state: { adam: plain } });
    const read = await readCheckpoint(file);
    expect([...read.tensors.keys()]).toEqual(Object.keys(all));
    expect(read.state).toEqual({ adam: plain });
    const { missing, unexpected } = await loadState(net, read.tensors, { strict: false });
    expect([missing, unexpected]).toEqual([[], Object.keys(tensors).map((name) => `adam.${name}`)]);
    expect(writeSafetensors(await readTensors(all), {})).toEqual(writeSafetensors(read.tensors, {}));
    for (const tensor of Object.values(tensors)) tensor.dispose();
    disposeModule(net);
  });
});
