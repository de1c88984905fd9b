/** Checkpoints: a run that goes on from one is the run that went on, bit for bit; what JSON would change is refused. */
import { describe, expect, test } from "vitest";
import { FileError, floatTensor, floatValues, readSafetensors, writeSafetensors } from "webgpu-conv/io";
import {
  cosineDecay,
  DataLoader,
  glyphs,
  heNormal,
  type LoaderState,
  Random,
  randomCrop,
  type RandomState,
  readCheckpoint,
  warmUp,
  writeCheckpoint,
} from "webgpu-conv/nn";

/** A run in miniature: weights that move by the data, a schedule, noise and a momentum. */
class Run {
  readonly loader = new DataLoader(glyphs({ count: 20, seed: 4 }), {
    batchSize: 6,
    seed: 5,
    augment: [randomCrop({ padding: 2 })],
  });
  readonly random = new Random(6);
  readonly rate = warmUp(cosineDecay({ rate: 0.1, steps: 20 }), { steps: 3 });
  weight = heNormal([8, 8], new Random(7));
  momentum = new Float32Array(64);
  step = 0;

  async train(steps: number): Promise<void> {
    for (let left = steps; left > 0;) {
      for await (const { x } of this.loader) {
        const rate = this.rate(this.step++);
        this.weight.forEach((value, i) => {
          this.momentum[i] = 0.9 * this.momentum[i] + x[i * 7] * value + this.random.normal();
          this.weight[i] = value - rate * this.momentum[i];
        });
        if (--left === 0) break;
      }
    }
  }

  save(): Uint8Array<ArrayBuffer> {
    const tensors = new Map([
      ["fc.weight", floatTensor(this.weight, [8, 8])],
      ["optimizer.momentum.fc.weight", floatTensor(this.momentum, [8, 8])],
    ]);
    return writeCheckpoint({
      tensors,
      state: { step: this.step, loader: this.loader.state, random: this.random.state },
    });
  }

  static async from(file: Uint8Array): Promise<Run> {
    const { tensors, state } = await readCheckpoint(file);
    const values = (name: string): Float32Array<ArrayBuffer> => {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`no ${name}`);
      return floatValues(tensor);
    };
    const run = new Run();
    run.weight = values("fc.weight");
    run.momentum = values("optimizer.momentum.fc.weight");
    run.step = state.step as number;
    run.loader.state = state.loader as LoaderState;
    run.random.state = state.random as RandomState;
    return run;
  }
}

describe("a checkpoint", () => {
  test.each([0, 1, 4, 9])("after %i steps goes on bit for bit", async (steps) => {
    const whole = new Run();
    await whole.train(steps + 7);
    const first = new Run();
    await first.train(steps);
    const second = await Run.from(first.save());
    await second.train(7);
    expect(second.save()).toEqual(whole.save());
    expect(second.weight).not.toEqual(first.weight);
  });

  test("is a safetensors file, whose tensors have their names", async () => {
    const { tensors, metadata } = await readSafetensors(new Run().save());
    expect([...tensors.keys()]).toEqual(["fc.weight", "optimizer.momentum.fc.weight"]);
    expect(metadata.format).toBe("pt");
  });

  test("keeps numbers' bits, texts, nesting and what is absent", async () => {
    const state = {
      list: [0.1, 1e-320, 2 ** 53 - 1, -1.7976931348623157e308, null, true, '\u{1F600}"\ud800'],
      nested: { a: [{}] },
    };
    const read = await readCheckpoint(writeCheckpoint({ tensors: new Map(), state: { ...state, absent: undefined } }));
    expect(read.state).toEqual(state);
  });

  const circular: unknown[] = [];
  circular.push({ circular });
  test.each([
    [{ loss: NaN }, "state.loss is NaN; expected plain data"],
    [{ a: [1, { b: Infinity }] }, "state.a[1].b is Infinity"],
    [{ big: 3n }, "state.big is 3n"],
    [{ values: new Float32Array(2) }, "state.values is Float32Array"],
    [{ at: new Date(0) }, "state.at is Date"],
    [{ list: [undefined] }, "state.list[0] is undefined"],
    [{ f: () => 0 }, "state.f is function f"],
    [{ random: new Random(0) }, "state.random is Random"],
    [{ circular }, "state.circular[0].circular holds itself"],
    [[1], "state is [1]; expected an object"],
    [7, "state is 7; expected an object"],
    [null, "state is null; expected an object"],
    // A hole, which JSON would make null.
    [{ list: [1, , 2] }, "state.list[1] is undefined"],
    [{ list: new Array(3) }, "state.list[0] is undefined"],
    [{ list: Object.assign([1], { note: 2 }) }, "state.list has members beside its elements"],
  ])("refuses %o, which JSON would not give back", (state, message) => {
    expect(() => writeCheckpoint({ tensors: new Map(), state: state as never })).toThrow(message);
  });

  test("is not made of nothing", () => {
    expect(() => writeCheckpoint(undefined as never)).toThrow(
      "the checkpoint is undefined; expected { tensors, state }",
    );
  });

  test.each([
    [{}, "run.ckpt: has no webgpu-conv.state in its metadata; readSafetensors reads files of weights alone"],
    [
      { "webgpu-conv.checkpoint": "2", "webgpu-conv.state": "{}" },
      'run.ckpt: is a checkpoint of version "2"; expected "1"',
    ],
    [
      { "webgpu-conv.checkpoint": "1", "webgpu-conv.state": "{" },
      "run.ckpt: webgpu-conv.state in its metadata is no JSON",
    ],
    [
      { "webgpu-conv.checkpoint": "1", "webgpu-conv.state": "[]" },
      "run.ckpt: webgpu-conv.state in its metadata is []; expected an object",
    ],
  ])("is not a file with the metadata %j", async (metadata, message) => {
    const error = await readCheckpoint(writeSafetensors([], metadata), "run.ckpt").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FileError);
    expect((error as FileError).message).toContain(message);
  });

  test("that is torn says where", async () => {
    const file = new Run().save();
    const torn = file.subarray(0, file.length - 1);
    await expect(readCheckpoint(torn, "run.ckpt")).rejects.toThrow(
      /^run\.ckpt: ends at byte [\d,]+; its header promises tensors up to/,
    );
  });
});
