/** A batch norm folded into a convolution: the same values as one after the other, for every kind of weight. */
import type { Engine, Tensor, WeightLayout } from "webgpu-conv";
import { batchNorm, foldBatchNorm, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random, reals } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { expectClose } from "../../support/nn/checkGradients.js";

type Make = (shape: readonly number[], dtype?: "float32" | "float16") => Tensor;

/** Calls `use` with what makes tensors of reals, which are disposed of afterwards, and with a norm's tensors. */
async function withNorm(
  engine: Engine,
  channels: number,
  use: (make: Make, norm: Readonly<Record<"weight" | "bias" | "runningMean" | "runningVar", Tensor>>) => Promise<void>,
): Promise<void> {
  const random = new Random(11);
  const made: Tensor[] = [];
  const keep = (tensor: Tensor): Tensor => {
    made.push(tensor);
    return tensor;
  };
  const make: Make = (shape, dtype = "float32") =>
    keep(
      engine.tensor(
        reals(
          random,
          shape.reduce((a, b) => a * b, 1),
        ),
        shape,
        { dtype },
      ),
    );
  const runningVar = keep(
    engine.tensor(
      reals(random, channels).map((value) => 1.5 + value),
      [channels],
    ),
  );
  await use(make, { weight: make([channels]), bias: make([channels]), runningMean: make([channels]), runningVar });
  for (const tensor of made) tensor.dispose();
}

/** The layer with the folded weight and bias against the layer and the norm. */
async function compare(
  x: Tensor,
  layer: (x: Tensor, weight: Tensor, bias: Tensor | undefined) => Tensor,
  [weight, bias]: readonly [Tensor, Tensor | undefined],
  folded: { readonly weight: Tensor; readonly bias: Tensor },
  norm: { readonly runningMean: Tensor; readonly runningVar: Tensor },
  tolerance = 1e-5,
): Promise<void> {
  using convolved = layer(x, weight, bias);
  using expected = batchNorm(convolved, norm);
  using actual = layer(x, folded.weight, folded.bias);
  expect(folded.weight.shape).toEqual(weight.shape);
  expect([folded.weight.dtype, folded.bias.dtype]).toEqual([weight.dtype, weight.dtype]);
  expectClose(await actual.data(), await expected.data(), tolerance, "the folded layer");
  folded.weight.dispose();
  folded.bias.dispose();
}

describe("foldBatchNorm", () => {
  gpuTest("into convolutions, with groups, in every weight layout", async ({ bare: engine }) => {
    await withNorm(engine, 6, async (make, norm) => {
      const x = make([2, 4, 5, 5]);
      const bias = make([6]);
      const layouts: [WeightLayout, number[]][] = [
        ["OIHW", [6, 2, 3, 2]],
        ["HWIO", [3, 2, 2, 6]],
        ["OHWI", [6, 3, 2, 2]],
        ["IHWO", [2, 3, 2, 6]],
      ];
      for (const [weightLayout, shape] of layouts) {
        const weight = make(shape);
        const options = { weightLayout, groups: 2 };
        const folded = foldBatchNorm(weight, norm, { weightLayout, bias });
        const layer = (input: Tensor, w: Tensor, b: Tensor | undefined): Tensor =>
          engine.conv2d(input, w, { ...options, ...(b && { bias: b }) });
        await compare(x, layer, [weight, bias], folded, norm);
        const plain = { runningMean: norm.runningMean, runningVar: norm.runningVar, eps: 0.5 };
        await compare(x, layer, [weight, undefined], foldBatchNorm(weight, plain, { weightLayout }), plain);
      }
    });
  });

  gpuTest("into transposed convolutions with groups", async ({ bare: engine }) => {
    await withNorm(engine, 6, async (make, norm) => {
      const x = make([2, 4, 5]);
      for (const [weightLayout, shape] of [
        ["IOW", [4, 3, 2]],
        ["WOI", [2, 3, 4]],
      ] as const) {
        const weight = make(shape);
        const options = { weightLayout, groups: 2, stride: 2 };
        const folded = foldBatchNorm(weight, norm, { weightLayout, transposed: true, groups: 2 });
        const layer = (input: Tensor, w: Tensor, b: Tensor | undefined): Tensor =>
          engine.convTranspose1d(input, w, { ...options, ...(b && { bias: b }) });
        await compare(x, layer, [weight, undefined], folded, norm);
      }
    });
  });

  gpuTest("in float16", async ({ bare: engine }) => {
    await withNorm(engine, 3, async (make, norm) => {
      const [x, weight, bias] = [make([1, 2, 6], "float16"), make([3, 2, 3], "float16"), make([3], "float16")];
      const layer = (input: Tensor, w: Tensor, b: Tensor | undefined): Tensor =>
        engine.conv1d(input, w, b ? { bias: b } : {});
      // Weights, sums and results are rounded to 11 bits, each by at most 2^-12 of a magnitude below twice the largest result.
      await compare(x, layer, [weight, bias], foldBatchNorm(weight, norm, { bias }), norm, 2 ** -8);
    });
  });

  gpuTest("says what does not fit, and that it has no gradients", async ({ bare: engine }) => {
    await withNorm(engine, 3, (make, norm) => {
      const weight = make([3, 2, 3]);
      const wrong = make([2]);
      const fold =
        (more: object, options: object = {}) =>
        () =>
          foldBatchNorm(weight, { ...norm, ...more }, options);
      expect(fold({ runningMean: wrong })).toThrow(/norm.runningMean has shape \[2\]; expected \[3\]/);
      expect(fold({ weight: wrong })).toThrow(/norm.weight has shape \[2\]; expected \[3\]/);
      expect(fold({ runningVar: undefined })).toThrow(/norm.runningVar is undefined; expected a tensor/);
      expect(fold({ momentum: 1 })).toThrow(/unknown key of norm, momentum/);
      expect(fold({}, { bias: wrong })).toThrow(/bias has shape \[2\]; expected \[3\], one value an out channel/);
      expect(fold({}, { transposed: true, groups: 2 })).toThrow(/groups is 2; expected a divisor of the 3 in channels/);
      expect(() => foldBatchNorm(wrong, norm)).toThrow(/weight has shape \[2\]; expected two axes of channels/);
      const tape = new Tape(engine);
      const folded = tape.run(() => foldBatchNorm(weight, norm));
      expect(() => tape.gradients(folded.weight, [weight], { upstream: weight })).toThrow(
        /foldBatchNorm, which has none/,
      );
      folded.weight.dispose();
      folded.bias.dispose();
      return Promise.resolve();
    });
  });
});
