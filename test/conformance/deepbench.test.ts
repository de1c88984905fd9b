/**
 * DeepBench's training shapes: layers of speech, face, text and image networks, forward and both gradients against the
 * reference. Only the shapes come from there; they are cut down as benchdnn's are, and each test's name says how.
 */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { checkLayer, passesInTurn } from "../support/conformance.js";
import { parseLines, withCorpus } from "../support/corpora.js";
import { type DeepbenchShape, describeDeepbench, readDeepbenchLayer } from "../support/deepbench.js";
import { gpuTest } from "../support/gpuTest.js";
import { describeCuts, layerShapes, multiplyAddsOf, reduceLayer } from "../support/reduceLayer.js";

/** Multiply-adds of a pass, at most. The reference makes six passes: three, and their bounds. */
const MOST_MULTIPLY_ADDS = 3e6;

const readShapes = (text: string): readonly DeepbenchShape[] => parseLines(text) as readonly DeepbenchShape[];

await withCorpus("deepbench_train_sample.jsonl", readShapes, (shapes) => {
  describe("DeepBench, forward and both gradients", () => {
    for (const [index, shape] of shapes.entries()) {
      const original = readDeepbenchLayer(shape);
      const layer = reduceLayer(original, MOST_MULTIPLY_ADDS);
      const name = `${describeDeepbench(shape)}${describeCuts(original, layer)}`;
      gpuTest(name, async ({ engine, capabilities }) => {
        await checkLayer(engine, layer, passesInTurn(index, capabilities));
      });
    }
  });

  describe("DeepBench, the shapes as they are", () => {
    const cases = shapes.map((shape) => [describeDeepbench(shape), shape] as const);

    test.each(cases)("%s has the output size and the FLOPs that DeepBench says", (_, shape) => {
      const { mb, ic, oc, ih, iw, oh, ow, kh, kw, sh, sw, ph, pw, flops } = shape;
      const problem = makeProblem(2, [mb, ic, ih, iw], [oc, ic, kh, kw], { stride: [sh, sw], padding: [ph, pw] });
      expect(problem.outputShape).toEqual([mb, oc, oh, ow]);
      expect(2 * problem.multiplyAdds).toBe(flops);
    });

    test.each(cases)("%s, its unused elements cropped, is the same, and small enough when cut", (_, shape) => {
      const layer = readDeepbenchLayer(shape);
      const { inputShape, weightShape, options } = layerShapes(layer);
      const { outputShape, multiplyAdds } = makeProblem(2, inputShape, weightShape, options);
      expect(outputShape).toEqual([shape.mb, shape.oc, shape.oh, shape.ow]);
      expect(2 * multiplyAdds).toBe(shape.flops);
      expect(multiplyAddsOf(reduceLayer(layer, MOST_MULTIPLY_ADDS))).toBeLessThanOrEqual(MOST_MULTIPLY_ADDS);
    });
  });
});
