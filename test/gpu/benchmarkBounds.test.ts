/** The benchmark holds results to the bound of the solver that computed them. */
import { errorBound, winogradErrorBound } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { LayerRun } from "../../examples/benchmark/layerRun.js";
import { LAYERS, layerName } from "../../examples/benchmark/layers.js";
import { PASSES } from "../../examples/benchmark/passes.js";
import { passBound } from "../../examples/benchmark/passBound.js";
import { verify } from "../../examples/benchmark/row.js";
import { gpuTest } from "../support/gpuTest.js";

const [conv2] = LAYERS.filter((layer) => layerName(layer).startsWith("AlexNet conv2 5x5"));

describe("a result of the benchmark", () => {
  // Of 100 terms: F(2x2, 5x5) errs more there than a direct sum may.
  gpuTest("by Winograd's tiles of 5x5 filters is within its bound", async ({ bare: engine }) => {
    using run = new LayerRun(engine, conv2, { batch: 1, extent: 10 });
    const solver = { name: "winograd", config: { tile: 2 } };
    for (const pass of PASSES) {
      const comparison = await verify(run, pass, solver);
      expect(comparison.pass, pass).toBe(true);
    }
  });

  gpuTest("has the bound of sums unless it is Winograd's", ({ bare: engine }) => {
    using run = new LayerRun(engine, conv2, { batch: 1, extent: 4 });
    const { problem, operands } = run;
    const pass = "weightGradient";
    for (const solver of ["direct", { name: "register-tile" }])
      expect(passBound(problem, pass, operands, solver)).toEqual(errorBound(problem, pass, operands));
    expect(passBound(problem, pass, operands, { name: "winograd", config: { tile: 2 } })).toEqual(
      winogradErrorBound(problem, pass, operands, 2),
    );
    return Promise.resolve();
  });
});
