/** The same file by onnxruntime-web, WebAssembly on the CPU, and how far two results are apart. */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { NetworkInput } from "./input.js";
import { PACKAGES } from "./packages.js";

/** As much of onnxruntime-web as is used: its own types are there only once it is installed. */
interface OnnxRuntime {
  readonly InferenceSession: {
    create(file: Uint8Array, options: { readonly executionProviders: readonly string[] }): Promise<Session>;
  };
  readonly Tensor: new (type: "float32", values: Float32Array, shape: readonly number[]) => object;
}
interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(inputs: Readonly<Record<string, object>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
  release(): Promise<void>;
}

export interface RuntimeResult {
  readonly values: Float32Array;
  /** Of the first and of a second run, in milliseconds by the wall clock. */
  readonly firstRun: number;
  readonly warmRun: number;
}

/** Runs an ONNX file of one input and one result; the package must be installed. */
export async function runOnnxRuntime(file: Uint8Array, input: NetworkInput): Promise<RuntimeResult> {
  const { InferenceSession, Tensor } = createRequire(join(PACKAGES, "package.json"))("onnxruntime-web") as OnnxRuntime;
  const session = await InferenceSession.create(file, { executionProviders: ["wasm"] });
  const x = new Tensor("float32", input.values, [1, 3, input.height, input.width]);
  const run = async (): Promise<readonly [values: Float32Array, milliseconds: number]> => {
    const start = performance.now();
    const results = await session.run({ [session.inputNames[0]]: x });
    return [results[session.outputNames[0]].data, performance.now() - start];
  };
  const [values, firstRun] = await run();
  const [, warmRun] = await run();
  await session.release();
  return { values, firstRun, warmRun };
}
