/** Normalisations whose sets a workgroup holds whole, as they are planned for classes of GPUs. */
import type { Tensor } from "webgpu-conv";
import { batchNorm, groupNorm, instanceNorm, layerNorm, type NormOptions } from "webgpu-conv/nn";
import { describe, expect, test } from "vitest";
import { createEngine } from "test-engine";
import type { DeviceClass } from "../../../src/planning/devices.js";
import { gpuTest } from "../../support/gpuTest.js";
import { compareNorm, type Norm } from "../../support/nn/compareNorm.js";

type Case = readonly [shape: readonly number[], parameters: readonly number[], norm: Norm];

const first = "channels-first";
const last = "channels-last";
const layer = (rows: number, channels: number): Case => [
  [rows, channels],
  [channels],
  (x, options) => layerNorm(x, channels, options),
];
const group = (shape: readonly number[], groups: number, layout: typeof first | typeof last): Case => [
  shape,
  [layout === first ? shape[1] : (shape.at(-1) ?? 0)],
  (x, options) => groupNorm(x, groups, { ...options, layout }),
];
const batch = (shape: readonly number[], layout: typeof first | typeof last): Case => [
  shape,
  [layout === first ? shape[1] : (shape.at(-1) ?? 0)],
  (x, options) => batchNorm(x, { ...options, training: true, layout }),
];

/** Odd and even sizes; several sets a workgroup, and workgroups of up to 1,024 threads; parts of several samples. */
const CASES: Readonly<Record<string, readonly Case[]>> = {
  "rows, several of them a workgroup": [layer(301, 5)],
  "rows, several units a thread": [layer(150, 768), layer(3, 1021)],
  "groups of channels, channels first": [group([3, 6, 35, 35], 3, first)],
  "groups of channels, channels last": [group([3, 7, 7, 32], 4, last), group([2, 11, 5, 6], 3, last)],
  "channels of a batch": [batch([7, 3, 5, 5], first), batch([3, 5, 4, 9], last)],
};

/** Compares on an engine that plans for the class, though the device is another. */
async function compareAsPlannedFor(deviceClass: DeviceClass, cases: readonly Case[], dtype: "float32" | "float16") {
  const engine = await createEngine({ deviceClass, poison: true });
  try {
    // As in normSizes.test.ts.
    const tolerance = dtype === "float32" ? 2e-5 : 2 ** -9;
    for (const [shape, parameters, norm] of cases) {
      await compareNorm(engine, shape, parameters, norm, { dtype, tolerance });
    }
    expect(engine.memory().liveTensors).toBe(0);
  } finally {
    engine.dispose();
  }
}

describe("as planned for NVIDIA's GPUs", () => {
  for (const [name, cases] of Object.entries(CASES)) {
    test(name, { timeout: 60_000 }, () => compareAsPlannedFor("nvidia", cases, "float32"));
  }

  test("float16", { timeout: 60_000 }, () => compareAsPlannedFor("nvidia", [group([2, 3, 3, 16], 2, last)], "float16"));
});

describe("as planned for Intel's GPUs", () => {
  test("sets that just fit, and those of one value more", { timeout: 60_000 }, () =>
    compareAsPlannedFor("intel-xe-lp", [layer(2, 4096), layer(2, 4097)], "float32"),
  );
});

describe("values that are no numbers, and large ones", () => {
  const run = async (x: Tensor, norm: Norm, options: NormOptions): Promise<number[]> => {
    using y = norm(x, options);
    return [...(await y.data())];
  };

  gpuTest("NaN and infinity spoil their set alone, wherever they are", async ({ bare: engine }) => {
    for (const special of [NaN, Infinity, -Infinity]) {
      for (const place of [0, 5, 23]) {
        const values = Float32Array.from({ length: 48 }, (_, i) => Math.sin(i));
        values[place] = special;
        using x = engine.tensor(values, [2, 2, 12]);
        const byRow = await run(x, (t, o) => layerNorm(t, 12, o), { activation: "relu" });
        expect(byRow.map(Number.isNaN)).toEqual(byRow.map((_, i) => Math.floor(i / 12) === Math.floor(place / 12)));
        const byGroup = await run(x, (t, o) => groupNorm(t, 1, o), { activation: "gelu" });
        expect(byGroup.map(Number.isNaN)).toEqual(byGroup.map((_, i) => Math.floor(i / 24) === Math.floor(place / 24)));
      }
    }
  });

  gpuTest("means that are large beside deviations", async ({ bare: engine }) => {
    const values = Float32Array.from({ length: 600 }, (_, i) => 1000 + Math.sin(i * i));
    using x = engine.tensor(values, [2, 3, 100]);
    const y = await run(x, instanceNorm, { eps: 0 });
    for (let set = 0; set < 6; set++) {
      const own = [...values.slice(100 * set, 100 * set + 100)];
      const mean = own.reduce((sum, value) => sum + value, 0) / 100;
      const deviation = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 100);
      for (const [i, value] of own.entries()) {
        // What is kept is exact: differences of floats of one binade. Their mean has an error of 1e-7, deviations are 0.7.
        expect(Math.abs(y[100 * set + i] - (value - mean) / deviation)).toBeLessThan(1e-6);
      }
    }
  });
});
