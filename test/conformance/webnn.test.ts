/** WebNN's conv2d: the conformance tests of web-platform-tests, and the unit tests of its reference implementation. */
import { describe } from "vitest";
import { checkGradients, runByChoice, runByEverySolver } from "../support/conformance.js";
import { withCorpus } from "../support/corpora.js";
import { gpuTest } from "../support/gpuTest.js";
import {
  baselineTolerances,
  expectWithin,
  expectWithinUlps,
  parseWebnn,
  toNativeCase,
  toPermutedCase,
} from "../support/webnn.js";

await withCorpus("webnn_conv2d.json", parseWebnn, (cases) => {
  describe("web-platform-tests, conv2d", () => {
    for (const webnnCase of cases) {
      const native = toNativeCase(webnnCase);
      gpuTest(`${webnnCase.name}: in its own layouts, within its ULP tolerance`, async ({ engine }) => {
        await runByChoice(engine, native, (actual, solver) => {
          expectWithinUlps(webnnCase, native, actual, solver);
        });
      });
      if (webnnCase.dtype !== "float32") continue;
      const testCase = toPermutedCase(webnnCase);
      gpuTest(`${webnnCase.name}: forward within its ULP tolerance by every solver`, async ({ engine }) => {
        await runByEverySolver(engine, testCase, (actual, solver) => {
          expectWithinUlps(webnnCase, testCase, actual, solver);
        });
      });
      gpuTest(`${webnnCase.name}: both gradients`, async ({ engine }) => await checkGradients(engine, testCase));
    }
  });
});

await withCorpus("webnn_baseline_conv2d.json", parseWebnn, (cases) => {
  describe("webnn-baseline, conv2d", () => {
    for (const webnnCase of cases) {
      const native = toNativeCase(webnnCase);
      gpuTest(`${webnnCase.name}: in its own layouts`, async ({ engine }) => {
        await runByChoice(engine, native, (actual, solver, tile) => {
          expectWithin(baselineTolerances(native, tile), native, actual, solver);
        });
      });
      const testCase = toPermutedCase(webnnCase);
      gpuTest(`${webnnCase.name}: forward by every solver`, async ({ engine }) => {
        await runByEverySolver(engine, testCase, (actual, solver, tile) => {
          expectWithin(baselineTolerances(testCase, tile), testCase, actual, solver);
        });
      });
      gpuTest(`${webnnCase.name}: both gradients`, async ({ engine }) => await checkGradients(engine, testCase));
    }
  });
});
