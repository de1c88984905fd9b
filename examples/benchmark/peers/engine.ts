/** What an engine is to the benchmark: something that prepares one pass of one layer and repeats it. */
import type { ConvProblem } from "webgpu-conv/reference";
import type { Layer, Pass } from "./layers.js";

/** A layer and the values it runs on: channels-first tensors, weights `[out, in / groups, kh, kw]`. */
export interface LayerCase {
  readonly layer: Layer;
  readonly problem: ConvProblem;
  readonly x: Float32Array<ArrayBuffer>;
  readonly w: Float32Array<ArrayBuffer>;
  readonly dy: Float32Array<ArrayBuffer>;
}

/** One pass, with its operands where the engine computes, in the layout that suits it best. */
export interface PreparedPass {
  /** Enqueues one call. Its result is kept until the next {@link sync}, so that nobody may leave work out. */
  run(): void | Promise<void>;
  /** Resolves once every call enqueued so far has been computed; disposes of all results but the last. */
  sync(): Promise<void>;
  /** The last result, as `[N, C, H, W]` or `[out, in / groups, kh, kw]`. */
  read(): Promise<Float32Array>;
  dispose(): void;
}

export interface PeerEngine {
  readonly name: string;
  readonly version: string;
  /** Throws, or rejects, where the engine cannot do the pass: in its own words. */
  prepare(layerCase: LayerCase, pass: Pass): Promise<PreparedPass>;
}

/** Runs on the CPU: measured beside the others, and never their rival. */
export const CPU_BASELINE = "onnxruntime-wasm";
/** This engine. */
export const OWN_ENGINE = "webgpu-conv";

/** A pass in terms of its engine's own results. */
export interface PassSteps<Result> {
  readonly enqueue: () => Result | Promise<Result>;
  /** Waits for these, and for all work enqueued before. */
  readonly finish: (results: readonly Result[]) => Promise<void>;
  readonly read: (result: Result) => Promise<Float32Array>;
  readonly release: (result: Result) => void;
  /** Disposes of the operands. */
  readonly close: () => void;
}

/** Keeps the results of a {@link PreparedPass} for as long as the interface promises. */
export function preparedPass<Result>(steps: PassSteps<Result>): PreparedPass {
  let results: Result[] = [];
  return {
    run: () => {
      const result = steps.enqueue();
      if (!(result instanceof Promise)) {
        results.push(result);
        return undefined;
      }
      return result.then((value: Result) => void results.push(value));
    },
    sync: async () => {
      await steps.finish(results);
      for (const result of results.slice(0, -1)) steps.release(result);
      results = results.slice(-1);
    },
    read: async () => await steps.read(results[results.length - 1]),
    dispose: () => {
      for (const result of results) steps.release(result);
      results = [];
      steps.close();
    },
  };
}

/** Milliseconds from the first call to the end of the last. */
export async function timeSlice(prepared: PreparedPass, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    // Awaiting what is no promise would cost the others a turn of the event loop.
    const running = prepared.run();
    if (running) await running;
  }
  await prepared.sync();
  return performance.now() - start;
}

/** Shape of what a pass computes. */
export function resultShape({ problem }: LayerCase, pass: Pass): readonly number[] {
  const shapes = {
    forward: problem.outputShape,
    inputGradient: problem.inputShape,
    weightGradient: problem.weightShape,
  };
  return shapes[pass];
}

/** Moves the axes of a dense tensor: axis i of the result is axis `order[i]` of the source. */
export function permute(
  values: Float32Array,
  shape: readonly number[],
  order: readonly [number, number, number, number],
): Float32Array<ArrayBuffer> {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  const [a, b, c, d] = order.map((axis) => ({ extent: shape[axis], stride: strides[axis] }));
  const result = new Float32Array(values.length);
  let next = 0;
  for (let i = 0; i < a.extent; i++) {
    for (let j = 0; j < b.extent; j++) {
      for (let k = 0; k < c.extent; k++) {
        const start = i * a.stride + j * b.stride + k * c.stride;
        for (let l = 0; l < d.extent; l++) result[next++] = values[start + l * d.stride];
      }
    }
  }
  return result;
}
