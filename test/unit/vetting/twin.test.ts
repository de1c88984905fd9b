/** Trials are small, whatever the layer, and run the very kernels of the layer. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { type Layer, LAYERS } from "../../../examples/benchmark/layers.js";
import { plainOperation } from "../../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../../src/planning/capabilities.js";
import type { DeviceClass } from "../../../src/planning/devices.js";
import type { ConvOperation } from "../../../src/problem/operation.js";
import { select } from "../../../src/solvers/select.js";
import { textKeys } from "../../../src/vetting/keys.js";
import { type Twin, twinOf } from "../../../src/vetting/twin.js";
import { Random } from "../../support/data.js";
import { randomOperation } from "../../support/randomOperations.js";

const CLASSES: readonly DeviceClass[] = ["software", "nvidia", "intel-xe-lp"];

/** What a page waits for at most, and on average, in multiply-adds: 1 to 2 a nanosecond on the host. */
const MOST = 18_000_000;
const MEAN = 2_000_000;

function operationsOf({ batch, inChannels, outChannels, kernel, extent, options }: Layer): ConvOperation[] {
  const { groups } = options;
  const weight = [outChannels, inChannels / groups, kernel, kernel];
  const problem = makeProblem(2, [batch, inChannels, extent, extent], weight, options);
  return (["forward", "inputGradient", "weightGradient"] as const).map((direction) => {
    return plainOperation(direction, problem, { dtype: "float32" });
  });
}

function twinWith(
  operation: ConvOperation,
  capabilities: Capabilities,
): { readonly keys: readonly string[]; readonly twin: Twin | undefined } {
  const { plan } = select(operation, capabilities);
  const { solver: name, config } = plan;
  const twin = twinOf(operation, plan, (smaller) => {
    try {
      return select(smaller, capabilities, { name, config }).plan;
    } catch {
      return undefined;
    }
  });
  return { keys: textKeys(plan), twin };
}

/** Checks the twins of operations. Returns the share of operations that have one. */
function checkTwins(operations: readonly ConvOperation[], capabilities: Capabilities): number {
  let found = 0;
  let sum = 0;
  for (const operation of operations) {
    const { keys, twin } = twinWith(operation, capabilities);
    if (!twin) continue;
    const { multiplyAdds } = twin.operation.problem;
    found++;
    sum += multiplyAdds;
    expect(textKeys(twin.plan)).toEqual(expect.arrayContaining([...keys]));
    expect(multiplyAdds).toBeLessThanOrEqual(MOST);
    expect(twin.operation).toMatchObject({
      direction: operation.direction,
      dtype: operation.dtype,
      bias: operation.bias,
    });
  }
  expect(sum / found).toBeLessThan(MEAN);
  return found / operations.length;
}

describe("a trial's problem", () => {
  for (const deviceClass of CLASSES) {
    const capabilities = { ...DEFAULT_CAPABILITIES, deviceClass };
    test(`is there for the layers of well-known networks on ${deviceClass}`, () => {
      const share = checkTwins(LAYERS.flatMap(operationsOf), capabilities);
      expect(share).toBeGreaterThan(0.95);
    });
    test(`is there for random layers on ${deviceClass}`, () => {
      const random = new Random(7);
      const operations = Array.from({ length: 100 }, () => randomOperation(random));
      const planned = operations.filter((operation) => {
        try {
          select(operation, capabilities);
          return true;
        } catch {
          return false;
        }
      });
      const share = checkTwins(planned, capabilities);
      expect(share).toBeGreaterThan(0.95);
    });
  }
});
