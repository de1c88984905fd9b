/** The network on an engine: loaded, compiled and run, each by the clock. */
import type { Engine, WaitOptions } from "webgpu-conv";
import { readOnnx } from "webgpu-conv/io";
import { disposeModule, loadModel } from "webgpu-conv/nn";
import type { ProbabilityMap } from "./findBoxes.js";
import type { NetworkInput } from "./input.js";

export interface Detection {
  readonly map: ProbabilityMap;
  readonly times: DetectionTimes;
  /** Kernels that a run starts at most. */
  readonly dispatches: number;
}

/** In milliseconds by the wall clock. */
export interface DetectionTimes {
  /** From bytes to a network whose weights are on the device. */
  readonly load: number;
  /** Records the network for this size; kernels compile, and are tried on small problems. */
  readonly compile: number;
  /** The first run, until its values are read. */
  readonly firstRun: number;
  /** Records it once more: its kernels are there. */
  readonly compileAgain: number;
  /** Median of the runs after the first, values read. */
  readonly warmRun: number;
}

/** Runs after the first. */
export const WARM_RUNS = 5;

/** Milliseconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const passed = now - last;
    last = now;
    return passed;
  };
}

/**
 * The map that an ONNX network of one input and one result gives for a picture.
 *
 * @param file its bytes
 * @throws FileError for a file that is not read, DeviceError where a kernel does not compile; the signal's reason
 */
export async function detect(
  engine: Engine,
  file: Uint8Array<ArrayBuffer>,
  { width, height, values }: NetworkInput,
  wait: WaitOptions = {},
): Promise<Detection> {
  const lap = stopwatch();
  const model = loadModel(engine, await readOnnx(file, "the detector"));
  try {
    const load = lap();
    using x = engine.tensor(values, [1, 3, height, width]);
    lap();
    using sequence = await engine.compile(() => model.forward(x));
    using y = sequence.result;
    const compile = lap();
    sequence.run();
    const map = await y.data(wait);
    const firstRun = lap();
    const warm: number[] = [];
    for (let i = 0; i < WARM_RUNS; i++) {
      sequence.run();
      await y.data(wait.signal && { signal: wait.signal });
      warm.push(lap());
    }
    warm.sort((a, b) => a - b);
    lap();
    using again = await engine.compile(() => model.forward(x));
    again.result.dispose();
    const compileAgain = lap();
    const times = { load, compile, firstRun, compileAgain, warmRun: warm[Math.floor(WARM_RUNS / 2)] };
    return { map: { width, height, values: map }, times, dispatches: sequence.dispatches };
  } finally {
    disposeModule(model);
  }
}
