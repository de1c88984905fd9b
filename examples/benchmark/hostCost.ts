/** What a repeated small operation costs the host: validating, planning, binding, recording, submitting; or replaying. */
import type { Compiled, Engine, Tensor } from "webgpu-conv";
import { randomValues } from "./random.js";
import { median } from "./statistics.js";

/** Microseconds a call, medians. */
export interface HostCost {
  /** The call itself, and disposing of its result. */
  readonly recordingMicroseconds: number;
  /** With encoding and submitting shared among the calls of a batch; the device's own time is not in it. */
  readonly submittedMicroseconds: number;
  /** Of a dispatch replayed by a compiled sequence: to record it, and with its share of submitting. */
  readonly replayedMicroseconds: number;
  readonly replayedSubmittedMicroseconds: number;
}

/** Calls a batch: fewer than make the engine submit by itself, so that the two costs can be distinguished. */
const CALLS = 50;
const BATCHES = 60;
/** The first batches compile, fill the caches and let the JavaScript engine optimise. */
const WARM_UP_BATCHES = 20;

/** Repeats the forward pass of the textbook layer: 7x7x3 input, 2 filters 3x3x3. */
export async function measureHostCost(engine: Engine): Promise<HostCost> {
  using x = engine.tensor(randomValues(3 * 7 * 7, 1), [1, 3, 7, 7]);
  using w = engine.tensor(randomValues(2 * 3 * 3 * 3, 2), [2, 3, 3, 3]);
  const options = { stride: 2, padding: 1 };
  const called = await measureBatches(engine, () => {
    for (let call = 0; call < CALLS; call++) engine.conv2d(x, w, options).dispose();
  });
  using compiled: Compiled<Tensor[]> = await engine.compile(() => {
    return Array.from({ length: CALLS }, () => engine.conv2d(x, w, options));
  });
  const replayed = await measureBatches(engine, () => compiled.run());
  for (const result of compiled.result) result.dispose();
  const shareOf = (milliseconds: number, count: number): number => (milliseconds * 1000) / count;
  return {
    recordingMicroseconds: shareOf(called.recorded, CALLS),
    submittedMicroseconds: shareOf(called.submitted, CALLS),
    replayedMicroseconds: shareOf(replayed.recorded, compiled.dispatches),
    replayedSubmittedMicroseconds: shareOf(replayed.submitted, compiled.dispatches),
  };
}

/** Median milliseconds of a batch: until it is recorded, and until it is submitted too. */
async function measureBatches(engine: Engine, record: () => void): Promise<Record<"recorded" | "submitted", number>> {
  const recorded: number[] = [];
  const submitted: number[] = [];
  for (let batch = 0; batch < WARM_UP_BATCHES + BATCHES; batch++) {
    const start = performance.now();
    record();
    const afterRecording = performance.now();
    // Encodes and submits before it returns its promise, once the kernel is compiled.
    const finished = engine.finish();
    const afterSubmitting = performance.now();
    await finished;
    if (batch < WARM_UP_BATCHES) continue;
    recorded.push(afterRecording - start);
    submitted.push(afterSubmitting - start);
  }
  return { recorded: median(recorded), submitted: median(submitted) };
}
