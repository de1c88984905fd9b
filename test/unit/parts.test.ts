/** Long dispatches in parts: which are long by the model, and where they are cut. */
import { describe, expect, test } from "vitest";
import { LAYERS } from "../../examples/kernels/layers.js";
import { operationOf, PASSES } from "../../examples/kernels/plan.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { DEVICE_CLASSES, type DeviceClass, DEVICES } from "../../src/planning/devices.js";
import { bytesInRole } from "../../src/planning/duration.js";
import { correctedSlowness, cut, cutGrid, inParts, longestOn } from "../../src/planning/parts.js";
import type { Dispatch, SolverPlan } from "../../src/planning/solver.js";
import { product } from "../../src/problem/geometry.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { select, solversFor } from "../../src/solvers/select.js";

const GIB = 2 ** 30;
const device = (deviceClass: DeviceClass): Capabilities => ({
  ...DEFAULT_CAPABILITIES,
  deviceClass,
  limits: { ...DEFAULT_CAPABILITIES.limits, maxBufferSize: 2 * GIB, maxStorageBufferBindingSize: 2 * GIB },
});

const operationAt = (layer: (typeof LAYERS)[number], batch: number, pass: (typeof PASSES)[number]): ConvOperation =>
  operationOf({ layer, batch, pass, layout: "channels-first", dtype: "float32" });

const longestOf = ({ dispatches }: SolverPlan): number =>
  Math.max(...dispatches.map(({ milliseconds }) => milliseconds ?? NaN));

/** Numbers of workgroups that dispatches start, in order. */
function startedBy(dispatches: readonly Dispatch[]): number[] {
  return dispatches.flatMap(({ uniforms, workgroups: [columns, rows] }) => {
    const first = Number(uniforms.firstWorkgroup);
    return Array.from({ length: columns * rows }, (_, i) => first + i);
  });
}

describe("a dispatch in parts", () => {
  const operation = operationAt(LAYERS[0], 1, "forward");
  const whole = select(operation, DEFAULT_CAPABILITIES).plan;
  const [step] = whole.dispatches;

  test("a part may be cut once more: each workgroup stays, in order", () => {
    const parts = cutGrid({ ...step, workgroups: [13, 11, 1] }, Infinity, 12).flatMap((part) => cutGrid(part, 5));
    expect(startedBy(parts)).toEqual(Array.from({ length: 13 * 11 }, (_, i) => i));
    for (const { workgroups } of parts) expect(product(workgroups)).toBeLessThanOrEqual(5);
  });

  test.each([
    [[1, 1, 1], 1],
    [[7, 1, 1], 1],
    [[7, 1, 1], 3],
    [[7, 1, 1], 6],
    [[7, 1, 1], 7],
    [[97, 13, 1], 5],
    [[97, 13, 1], 96],
    [[97, 13, 1], 97],
    [[97, 13, 1], 200],
    [[97, 13, 1], 1000],
  ] as const)(
    "%j workgroups, at most %i: each once, in order, in parts of about the same length",
    (workgroups, most) => {
      const total = product(workgroups);
      const parts = cut({ ...step, workgroups, milliseconds: total, multiplyAdds: 10 * total }, most, 1);
      expect(startedBy(parts)).toEqual(Array.from({ length: total }, (_, i) => i));
      const counts = parts.map((part) => product(part.workgroups));
      expect(Math.max(...counts)).toBeLessThanOrEqual(most);
      // Whole rows, or about as much of a row.
      const unit = most >= workgroups[0] ? workgroups[0] : 1;
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(unit);
      parts.forEach(({ milliseconds, multiplyAdds }, i) => {
        expect(milliseconds).toBeCloseTo(counts[i], 6);
        expect(multiplyAdds).toBeCloseTo(10 * counts[i], 6);
      });
    },
  );

  test("has as many workgroups as keep the device busy", () => {
    const parts = cut({ ...step, workgroups: [100, 1, 1], milliseconds: 1e9 }, 1, 24);
    expect(parts.map(({ workgroups }) => workgroups[0])).toEqual([20, 20, 20, 20, 20]);
  });

  test("that a plan has several times stays one", () => {
    const twice = { ...step, multiplyAdds: 1e12 };
    const plan = { ...whole, dispatches: [twice, step, twice] };
    const { dispatches } = inParts(plan, bytesInRole(operation), device("unknown"), { longest: 100, slowness: 1 });
    const half = (dispatches.length - 1) / 2;
    expect(half).toBeGreaterThan(2);
    expect(dispatches.slice(0, half).every((part, i) => part === dispatches[half + 1 + i])).toBe(true);
  });
});

describe("by the model", () => {
  test("a dispatch takes at most 100 ms on GPUs, and a quarter of a second on software", () => {
    for (const deviceClass of DEVICE_CLASSES) {
      expect(longestOn(DEVICES[deviceClass])).toBe(deviceClass === "software" ? 250 : 100);
    }
  });

  const OF_LAPTOPS = [
    "64>3 9x9 256",
    "up 1024>512 2x2/2 56",
    "up 128>64 2x2/2 512",
    "512>512 3/2 16000",
    "64>128 3x3x3 16x56",
  ];
  const ofAllPasses = (layers: readonly string[]): string[] =>
    layers.flatMap((layer) => PASSES.map((pass) => `${layer}, 32, ${pass}`));
  /** Layers of well-known networks with a dispatch that takes longer whole, by batch and pass. */
  const LONG: Readonly<Partial<Record<DeviceClass, readonly string[]>>> = {
    nvidia: ["64>128 3x3x3 16x56, 32, weight gradient"],
    "intel-xe-lp": ofAllPasses(OF_LAPTOPS),
    unknown: ofAllPasses(OF_LAPTOPS),
  };
  for (const [deviceClass, expected] of Object.entries(LONG) as [DeviceClass, readonly string[]][]) {
    test(`${deviceClass}: no dispatch takes longer, and few layers are cut`, () => {
      const capabilities = device(deviceClass);
      const longest = longestOn(DEVICES[deviceClass]);
      const found: string[] = [];
      for (const layer of LAYERS) {
        for (const batch of [1, 32]) {
          for (const pass of PASSES) {
            const operation = operationAt(layer, batch, pass);
            const { plan } = select(operation, capabilities);
            const parts = inParts(plan, bytesInRole(operation), capabilities, { longest, slowness: 1 });
            expect(longestOf(parts)).toBeLessThanOrEqual(longest);
            if (parts.dispatches.length > plan.dispatches.length)
              found.push(`${layer.name}, ${String(batch)}, ${pass}`);
            else
              expect(parts.dispatches.map(({ workgroups }) => workgroups)).toEqual(
                plan.dispatches.map(({ workgroups }) => workgroups),
              );
          }
        }
      }
      expect(found).toEqual(expected);
    });
  }

  test("a duration is not below what solvers predict for their tiles, but for some", () => {
    const below: string[] = [];
    for (const deviceClass of ["amd-apu", "apple"] as const) {
      const capabilities = device(deviceClass);
      for (const layer of LAYERS) {
        const operation = operationAt(layer, 32, "forward");
        const { plan } = select(operation, capabilities);
        const solver = solversFor(operation).find(({ name }) => name === plan.solver);
        const clocks = solver?.predictClocks?.(operation, capabilities, plan.config);
        const { dispatches } = inParts(plan, bytesInRole(operation), capabilities, { longest: Infinity, slowness: 1 });
        const milliseconds = dispatches.reduce((sum, step) => sum + (step.milliseconds ?? NaN), 0);
        if (clocks !== undefined && !(milliseconds >= clocks / DEVICES[deviceClass].megahertz / 1000))
          below.push(layer.name);
      }
    }
    expect(below).toEqual([]);
  });

  test("a device that is slower gets shorter parts, one that is faster longer ones", () => {
    const [layer] = LAYERS.filter(({ name }) => name.startsWith("64>128 3x3x3"));
    const operation = operationAt(layer, 32, "forward");
    const capabilities = device("unknown");
    const { plan } = select(operation, capabilities);
    const counts = [1 / 64, 1 / 2, 1, 2].map(
      (slowness) => inParts(plan, bytesInRole(operation), capabilities, { longest: 100, slowness }).dispatches.length,
    );
    expect(counts[1] * 1.4).toBeLessThan(counts[2]);
    expect(counts[2] * 1.4).toBeLessThan(counts[3]);
    expect(counts[0]).toBeLessThan(counts[1]);
  });
});

describe("slowness", () => {
  test.each([
    [1, 100, 100, 1],
    [1, 100, 160, 1],
    [1, 100, 60, 1],
    [1, 100, 200, 2],
    [1, 100, 5000, 2],
    [2, 100, 200, 2],
    [2, 100, 100, 1],
    [1, 100, 1, 1 / 2],
    [16, 100, 1e6, 16],
    [2 ** -8, 100, 1e-6, 2 ** -8],
    [1, 100, 0, 1 / 2],
    [1, 0, 0, 1],
  ])("from %f: %f ms predicted, %f ms measured: %f", (slowness, predicted, measured, corrected) => {
    expect(correctedSlowness(slowness, predicted, measured)).toBe(corrected);
  });
});
