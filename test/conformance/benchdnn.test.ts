/**
 * Layers of real networks: oneDNN's benchdnn 2D problems, forward and both gradients against the reference.
 *
 * Only the shapes come from there. They are made for large machines: test/support/reduceLayer.ts cuts them down
 * to what a software device and the float64 reference do quickly, and each test's name says what was cut.
 */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { product } from "../../src/geometry.js";
import { type BenchdnnShape, readLayer } from "../support/benchdnn.js";
import { comparePass, WITHIN_BOUND } from "../support/conformance.js";
import { parseLines, withCorpus } from "../support/corpora.js";
import { Random, reals } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { describeCuts, layerShapes, multiplyAddsOf, reduceLayer } from "../support/reduceLayer.js";

/** Multiply-adds of a pass, at most. The reference makes six passes: three, and their bounds. */
const MOST_MULTIPLY_ADDS = 6e6;

const readShapes = (text: string): readonly BenchdnnShape[] => parseLines(text) as readonly BenchdnnShape[];

await withCorpus("benchdnn_shapes_sample.jsonl", readShapes, (shapes) => {
  describe("benchdnn, forward and both gradients", () => {
    for (const shape of shapes) {
      const original = readLayer(shape);
      const layer = reduceLayer(original, MOST_MULTIPLY_ADDS);
      const name = `${shape.file}:${String(shape.line)} ${shape.desc}${describeCuts(original, layer)}`;
      const { inputShape, weightShape, options } = layerShapes(layer);
      const problem = makeProblem(2, inputShape, weightShape, options);

      gpuTest(name, async ({ engine }) => {
        const x = reals(new Random(1), product(inputShape));
        const w = reals(new Random(2), product(weightShape));
        const dy = reals(new Random(3), product(problem.outputShape));
        using input = engine.tensor(x, inputShape);
        using weight = engine.tensor(w, weightShape);
        using gradient = engine.tensor(dy, problem.outputShape);
        using y = engine.conv2d(input, weight, options);
        using dx = engine.conv2dInputGradient(gradient, weight, inputShape, options);
        using dw = engine.conv2dWeightGradient(gradient, input, weightShape, options);
        const [output, toInput, toWeight] = await Promise.all([y.data(), dx.data(), dw.data()]);
        expect(comparePass(problem, "forward", { x, w }, output), "forward").toMatchObject(WITHIN_BOUND);
        expect(comparePass(problem, "inputGradient", { dy, w }, toInput), "dx").toMatchObject(WITHIN_BOUND);
        expect(comparePass(problem, "weightGradient", { dy, x }, toWeight), "dw").toMatchObject(WITHIN_BOUND);
      });
    }
  });

  describe("benchdnn, the shapes as they are", () => {
    test.each(shapes)("$file:$line $desc has the output size that benchdnn says", (shape) => {
      const { inputShape, weightShape, options } = layerShapes(readLayer(shape));
      const problem = makeProblem(2, inputShape, weightShape, options);
      expect(problem.outputShape).toEqual([shape.mb, shape.oc, shape.oh, shape.ow]);
      if (shape.macs !== undefined) expect(problem.multiplyAdds).toBe(shape.macs);
    });

    test.each(shapes)("$file:$line $desc is small enough when cut", (shape) => {
      const layer = reduceLayer(readLayer(shape), MOST_MULTIPLY_ADDS);
      expect(multiplyAddsOf(layer)).toBeLessThanOrEqual(MOST_MULTIPLY_ADDS);
    });
  });
});
