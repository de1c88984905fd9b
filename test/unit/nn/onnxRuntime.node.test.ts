/**
 * Random networks of ONNX files, run by ONNX Runtime too. It is too large to be installed with the rest: `npm run test:onnxruntime` does so.
 * Each result, and the last one of what is fused where nobody reads the others, is compared. Where ONNX Runtime deviates from ONNX's
 * specification no networks are made: test/support/io/randomOnnx says where.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "webgpu-conv";
import { expect, test } from "vitest";
import { onnxFile } from "../../support/io/onnxFile.js";
import { differences, type Results } from "../../support/io/randomOnnx/compare.js";
import { randomNetwork, type RandomNetwork } from "../../support/io/randomOnnx/index.js";

const RUNTIME = join(import.meta.dirname, "../../onnxruntime/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs");
const NETWORKS = 1500;
/** How many are recorded, of few values. */
const RECORDED = 200;
const MOST_RECORDED_VALUES = 12;

interface OrtTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}
/** What is used of it. */
interface Ort {
  readonly env: { logLevel: string; readonly wasm: { numThreads: number } };
  readonly Tensor: new (type: "float32", data: Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(
      file: Uint8Array,
      options: object,
    ): Promise<{
      run(inputs: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
      release(): Promise<void>;
    }>;
  };
}

async function runtimeResults(ort: Ort, { model, x, values, text }: RandomNetwork): Promise<Results> {
  const options = { executionProviders: ["wasm"], graphOptimizationLevel: "disabled", logSeverityLevel: 4 };
  const session = await ort.InferenceSession.create(onnxFile(model), options);
  const input = new ort.Tensor("float32", Float32Array.from(x.data), x.shape);
  const results = await session.run({ x: input }).catch((cause: unknown) => {
    throw new Error(`ONNX Runtime did not run ${text}: ${String(cause)}`, { cause });
  });
  await session.release();
  for (const { name, shape } of values) expect(results[name].dims, text).toEqual(shape);
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
}

const isThere = existsSync(RUNTIME);
const reason = "NOT RUN, ONNX Runtime is not installed: npm run test:onnxruntime does that";
if (!isThere) console.warn(reason);

test.skipIf(!isThere)(
  isThere ? "random networks have the results of ONNX Runtime" : reason,
  async () => {
    const ort = (await import(/* @vite-ignore */ RUNTIME)) as Ort;
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "fatal";
    using engine = await createEngine({ backend: "cpu" });
    const records: string[] = [];
    for (let seed = 0; seed < NETWORKS; seed++) {
      const network = randomNetwork(seed);
      const expected = await runtimeResults(ort, network);
      const names = network.values.map(({ name }) => name);
      for (const outputs of [names, names.slice(-1)])
        expect(await differences(engine, network, outputs, expected), `seed ${String(seed)}: ${network.text}`).toEqual(
          [],
        );
      const values = Array.from(expected[names[names.length - 1]], (value) => Number(value.toPrecision(9)));
      const { operators } = network;
      if (values.length <= MOST_RECORDED_VALUES && records.length < RECORDED)
        records.push(`${JSON.stringify({ seed, operators, values })}\n`);
    }
    await expect(records.join("")).toMatchFileSnapshot("../../support/io/randomOnnx/recorded.jsonl");
  },
  300_000,
);
