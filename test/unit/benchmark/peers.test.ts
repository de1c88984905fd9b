/** The comparison of layers with the peers: what an engine computes is held to the reference. */
import { referencePass } from "webgpu-conv/reference";
import { expect, test } from "vitest";
import { OWN_ENGINE, type PeerEngine } from "../../../examples/benchmark/peers/engine.js";
import { LAYERS, type Pass, PASSES } from "../../../examples/benchmark/peers/layers.js";
import { makeCase, measurePass } from "../../../examples/benchmark/peers/measure.js";

const CASE = makeCase({ ...LAYERS[0], input: [1, 3, 9, 9], weight: [4, 3, 3, 3] });

/** Computes by the reference, and then adds an error. */
const engineThatErrs = (name: string, error: number): PeerEngine => ({
  name,
  version: "1",
  async prepare({ problem, x, w, dy }, pass) {
    const values = Float32Array.from(referencePass(problem, pass, { x, w, dy }));
    values[0] += error;
    await Promise.resolve();
    return {
      run: () => undefined,
      sync: async () => await Promise.resolve(),
      read: async () => await Promise.resolve(values),
      dispose: () => undefined,
    };
  },
});

const verdictsOf = async (pass: Pass): Promise<Record<string, string>> => {
  const engines = [engineThatErrs(OWN_ENGINE, 0), engineThatErrs("one that is wrong", 1e-3)];
  const rows = await measurePass(engines, CASE, pass, 1);
  return Object.fromEntries(rows.map(({ engine, verdict }) => [engine, verdict]));
};

test.each(PASSES)("%s: right values pass, and wrong ones fail", async (pass) => {
  expect(await verdictsOf(pass)).toEqual({ [OWN_ENGINE]: "pass", "one that is wrong": "fail" });
});
