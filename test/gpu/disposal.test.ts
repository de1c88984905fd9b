/** An engine may be disposed of at any moment: what waits for it rejects, and a caller's device is left as it was. */
import { createEngine as createAnyEngine, DeviceError, type Engine } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { DISPOSED, layer, outcomeOf, PENDING } from "../support/pendingWork.js";

const STARTS = Object.values(PENDING);

/** Begins all of it on one engine, disposes of that, and gives the outcomes. */
async function disposeOfAll(engine: Engine): Promise<string[]> {
  const outcomes = STARTS.map((start) => outcomeOf(start(engine)));
  engine.dispose();
  return await Promise.all(outcomes);
}

describe("what waits when the engine is disposed of rejects", () => {
  gpuTest("all at once, on a device of the engine's own", async () => {
    expect(await disposeOfAll(await createEngine())).toEqual(STARTS.map(() => DISPOSED));
  });

  gpuTest("all at once, on a caller's device", async ({ engine }) => {
    const small = await createEngine({ device: deviceOf(engine) });
    expect(await disposeOfAll(small)).toEqual(STARTS.map(() => DISPOSED));
    await deviceOf(engine).queue.onSubmittedWorkDone();
  });

  gpuTest.for(Object.keys(PENDING))(
    "%s, at once and after some turns, on a caller's device",
    async (name, { engine }) => {
      for (const turns of [0, 1, 3]) {
        const small = await createEngine({ device: deviceOf(engine) });
        const outcome = outcomeOf(PENDING[name](small));
        for (let turn = 0; turn < turns; turn++) await new Promise((resume) => setTimeout(resume));
        small.dispose();
        // Later on it may be done already.
        expect(turns === 0 ? [DISPOSED] : [DISPOSED, "done"]).toContain(await outcome);
      }
      await deviceOf(engine).queue.onSubmittedWorkDone();
    },
  );

  gpuTest("tuning on first use, with what waits for it", async ({ engine }) => {
    const warnings: string[] = [];
    const small = await createEngine({
      device: deviceOf(engine),
      tune: "first-use",
      onWarning: (warning) => warnings.push(warning),
    });
    const read = layer(small);
    await read.data();
    small.conv2d(small.tensor(new Float32Array(64), [1, 4, 4, 4]), small.tensor(new Float32Array(144), [4, 4, 3, 3]));
    const outcome = outcomeOf(small.finish());
    await new Promise((resume) => setTimeout(resume, 5));
    small.dispose();
    expect(await outcome).toBe(DISPOSED);
    expect(warnings).toEqual([]);
  });

  gpuTest("reads on the CPU", async () => {
    const engine = await createAnyEngine({ backend: "cpu" });
    const outcome = outcomeOf(engine.tensor([1], [1]).data());
    engine.dispose();
    expect(await outcome).toBe(DISPOSED);
  });
});

describe("disposing in a recording", () => {
  gpuTest("of a sequence, of a caller's encoder, of what is timed", async ({ engine }) => {
    const device = deviceOf(engine);
    const encoder = device.createCommandEncoder();
    const recordings: Readonly<Record<string, (small: Engine, record: () => void) => Promise<unknown>>> = {
      compile: (small, record) => small.compile(record),
      encode: (small, record) => small.encode(encoder, record),
      time: (small, record) => small.time(record),
    };
    for (const [name, start] of Object.entries(recordings)) {
      const small = await createEngine({ device });
      const pending = start(small, () => {
        layer(small);
        small.dispose();
      });
      expect(await outcomeOf(pending), name).toBe(DISPOSED);
    }
    // Nothing of it is in the encoder.
    device.queue.submit([encoder.finish()]);
  });
});

gpuTest("tuning that is asked for after the end is refused", async ({ engine }) => {
  const small = await createEngine({ device: deviceOf(engine) });
  small.dispose();
  await expect(small.tuning.tune("conv2d", { input: [1, 1, 4, 4], weight: [1, 1, 1, 1] })).rejects.toThrow(DeviceError);
});
