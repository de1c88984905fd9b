/** What operations change in place, on an engine that gets over the loss of its device. */
import { DeviceLostError } from "webgpu-conv";
import { accumulate } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { lose, valuesOf } from "../support/losses.js";

describe("a tensor that was changed in place", () => {
  gpuTest("does not come back as the host wrote it, but as a snapshot or a later write has it", async () => {
    using engine = await createEngine({ recover: true });
    const change = engine.tensor([1, 2], [2], { keep: true });
    const [untold, taken, written] = [0, 1, 2].map(() => engine.tensor([5, 5], [2], { keep: true }));
    const all = { untold, taken, written };
    const changes = { untold: change, taken: change, written: change };
    accumulate(all, changes);
    await engine.snapshot(taken);
    accumulate(all, changes);
    await engine.write(written, [3, 3]);
    const recovery = await lose(engine);
    expect(recovery).toMatchObject({ restored: 3, lost: [{ shape: [2] }] });
    await expect(untold.data()).rejects.toThrow(DeviceLostError);
    await expect(untold.data()).rejects.toThrow(
      /was lost: .*copy is of before it was changed in place: write its values again; .*engine\.snapshot/s,
    );
    expect(await valuesOf(taken)).toEqual([6, 7]);
    expect(await valuesOf(written)).toEqual([3, 3]);
    await engine.write(untold, [4, 4]);
    await lose(engine).then(() => engine.finish().catch(() => undefined));
    expect(await valuesOf(untold)).toEqual([4, 4]);
  });

  for (const waits of [false, true]) {
    gpuTest(`by a sequence${waits ? " that waited for a device" : ""}, likewise`, async () => {
      using engine = await createEngine({ recover: true });
      const change = engine.tensor([1, 2], [2], { keep: true });
      const sum = engine.tensor([5, 5], [2], { keep: true });
      using sequence = await engine.compile(() => accumulate({ sum }, { sum: change }));
      // Recorded, and not run: the copy is of its values.
      expect((await lose(engine))?.lost).toEqual([]);
      if (waits) {
        deviceOf(engine).destroy();
        await engine.lost;
      }
      sequence.run();
      expect(await valuesOf(sum)).toEqual([6, 7]);
      expect((await lose(engine))?.lost).toHaveLength(1);
      await expect(sum.data()).rejects.toThrow(/changed in place/);
      expect(() => sequence.run()).toThrow(/changed in place/);
      await engine.write(sum, [0, 0]);
      sequence.run();
      expect(await valuesOf(sum)).toEqual([1, 2]);
      await engine.finish().catch(() => undefined);
    });
  }
});

describe("a change in place whose operand was lost", () => {
  gpuTest("throws, or rejects finish() where it had to wait, and changes nothing", async () => {
    using engine = await createEngine({ recover: true });
    const sum = engine.tensor([5, 5], [2], { keep: true });
    const change = engine.tensor([1, 2], [2]);
    using sequence = await engine.compile(() => accumulate({ sum }, { sum: change }));
    await lose(engine);
    await expect(engine.finish()).rejects.toThrow(/a tensor had no copy/);
    expect(() => accumulate({ sum }, { sum: change })).toThrow(/uploaded.*was lost/s);
    expect(() => sequence.run()).toThrow(/uploaded.*was lost/s);
    expect(await valuesOf(sum)).toEqual([5, 5]);
    await engine.finish();
    for (const run of [() => accumulate({ sum }, { sum: change }), () => sequence.run()]) {
      deviceOf(engine).destroy();
      await engine.lost;
      run();
      await expect(engine.finish()).rejects.toThrow(/uploaded.*was lost/s);
      await engine.finish();
      expect(await valuesOf(sum)).toEqual([5, 5]);
    }
  });
});
