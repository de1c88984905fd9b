/** WebNN's convTranspose2d: web-platform-tests, and the unit tests of the reference implementation, in their own layouts. */
import { describe } from "vitest";
import { checkGradients, runByChoice, runByEverySolver } from "../support/conformance.js";
import { withCorpus } from "../support/corpora.js";
import { gpuTest } from "../support/gpuTest.js";
import { baselineTolerances, expectWithin, expectWithinUlps, parseWebnn, toNativeCase } from "../support/webnn.js";

await withCorpus("webnn_conv_transpose2d.json", parseWebnn, (cases) => {
  describe("web-platform-tests, convTranspose2d", () => {
    for (const webnnCase of cases) {
      const testCase = toNativeCase(webnnCase, "convTranspose");
      if (webnnCase.dtype === "float16") {
        gpuTest(`${webnnCase.name}: within its ULP tolerance`, async ({ engine }) => {
          await runByChoice(engine, testCase, (actual, solver) => {
            expectWithinUlps(webnnCase, testCase, actual, solver);
          });
        });
        continue;
      }
      gpuTest(`${webnnCase.name}: within its ULP tolerance by every solver`, async ({ engine }) => {
        await runByEverySolver(engine, testCase, (actual, solver) => {
          expectWithinUlps(webnnCase, testCase, actual, solver);
        });
      });
      gpuTest(`${webnnCase.name}: both gradients`, async ({ engine }) => await checkGradients(engine, testCase));
    }
  });
});

await withCorpus("webnn_baseline_conv_transpose2d.json", parseWebnn, (cases) => {
  describe("webnn-baseline, convTranspose2d", () => {
    for (const webnnCase of cases) {
      const testCase = toNativeCase(webnnCase, "convTranspose");
      gpuTest(`${webnnCase.name}: by every solver`, async ({ engine }) => {
        await runByEverySolver(engine, testCase, (actual, solver, tile) => {
          expectWithin(baselineTolerances(testCase, tile), testCase, actual, solver);
        });
      });
    }
  });
});
