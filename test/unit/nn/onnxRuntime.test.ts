/**
 * Random networks of ONNX files against what ONNX Runtime computed of them, which is recorded: `npm run test:onnxruntime -- -u` does it
 * again where the networks have changed.
 */
import { createEngine } from "webgpu-conv";
import { afterAll, expect, test } from "vitest";
import { differences } from "../../support/io/randomOnnx/compare.js";
import { randomNetwork } from "../../support/io/randomOnnx/index.js";
import recorded from "../../support/io/randomOnnx/recorded.jsonl?raw";

interface Recorded {
  readonly seed: number;
  readonly operators: string;
  /** Of the last result. */
  readonly values: readonly number[];
}
const records = recorded
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Recorded);
const engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

test("results of random networks are those of ONNX Runtime, within what float32 rounds", async () => {
  const seen = new Set<string>();
  for (const { seed, operators, values } of records) {
    const network = randomNetwork(seed);
    expect(network.operators, `the networks have changed: npm run test:onnxruntime -- -u`).toBe(operators);
    const last = network.values[network.values.length - 1].name;
    expect(await differences(engine, network, [last], { [last]: Float32Array.from(values) }), network.text).toEqual([]);
    for (const operator of operators.split(" ")) seen.add(operator);
  }
  expect(records.length).toBe(200);
  expect(seen.size).toBeGreaterThan(30);
});
