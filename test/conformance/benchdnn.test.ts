/**
 * Layers of real networks: oneDNN's benchdnn 2D problems, forward and both gradients against the reference.
 *
 * Only the shapes come from there. They are made for large machines: test/support/reduceLayer.ts cuts them down
 * to what a software device and the float64 reference do quickly, and each test's name says what was cut.
 */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { type BenchdnnShape, readLayer } from "../support/benchdnn.js";
import { checkLayer, passesInTurn } from "../support/conformance.js";
import { parseLines, withCorpus } from "../support/corpora.js";
import { gpuTest } from "../support/gpuTest.js";
import { describeCuts, layerShapes, multiplyAddsOf, reduceLayer } from "../support/reduceLayer.js";

/** Multiply-adds of a pass, at most. The reference makes six passes: three, and their bounds. */
const MOST_MULTIPLY_ADDS = 3e6;

const readShapes = (text: string): readonly BenchdnnShape[] => parseLines(text) as readonly BenchdnnShape[];

await withCorpus("benchdnn_shapes_sample.jsonl", readShapes, (shapes) => {
  describe("benchdnn, forward and both gradients", () => {
    for (const [index, shape] of shapes.entries()) {
      const original = readLayer(shape);
      const layer = reduceLayer(original, MOST_MULTIPLY_ADDS);
      const name = `${shape.file}:${String(shape.line)} ${shape.desc}${describeCuts(original, layer)}`;
      gpuTest(name, async ({ engine, capabilities }) => {
        await checkLayer(engine, layer, passesInTurn(index, capabilities));
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
