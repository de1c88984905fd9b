/** Classes of devices: their records, their policies, and that what is planned for them is possible. */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import {
  DEVICE_CLASSES,
  type DeviceClass,
  type DeviceRecord,
  DEVICES,
  usableRegisters,
} from "../../src/planning/devices.js";
import { withinLimits } from "../../src/planning/deviceLimits.js";
import { policyOf } from "../../src/planning/policy.js";
import type { Direction } from "../../src/problem/operation.js";
import { select } from "../../src/solvers/select.js";

const RECORDS = Object.entries(DEVICES);
const GPUS = RECORDS.filter(([name]) => name !== "software");

describe("records", () => {
  test("are of the same numbers, all of them positive", () => {
    const fields = Object.keys(DEVICES.nvidia).sort();
    for (const [name, record] of RECORDS) {
      expect(Object.keys(record).sort(), name).toEqual(fields);
      for (const value of Object.values(record).filter((one) => typeof one === "number")) {
        expect(Number.isFinite(value) && value > 0, `${name}: ${String(value)}`).toBe(true);
      }
    }
  });

  test("are consistent: threads that fill a GPU are there at once with a few registers each, and at least one subgroup with all", () => {
    for (const [name, { registers, multiprocessors, fillThreads, threadRegisters, subgroup }] of GPUS) {
      expect((registers * multiprocessors) / fillThreads, name).toBeGreaterThanOrEqual(16);
      expect(registers / threadRegisters / subgroup, name).toBeGreaterThanOrEqual(1);
    }
  });

  test("ask of an unknown device no more than the least of all GPUs has", () => {
    const least = (field: keyof Omit<DeviceRecord, "mixesHalves" | "reservesSums" | "holdsConverted">) =>
      Math.min(...GPUS.map(([, record]) => record[field]));
    for (const field of ["threadRegisters", "registers", "workgroupBytes", "watchdogMilliseconds"] as const) {
      expect(DEVICES.unknown[field], field).toBe(least(field));
    }
    expect(DEVICES.unknown.workgroupBytes).toBeLessThanOrEqual(
      DEFAULT_CAPABILITIES.limits.maxComputeWorkgroupStorageSize,
    );
  });
});

const capabilitiesOf = (deviceClass: DeviceClass): Capabilities => ({ ...DEFAULT_CAPABILITIES, deviceClass });

describe("policies", () => {
  test("of GPUs differ in their record, and in the threads, registers and scratch memory that follow from it", () => {
    const unknown = policyOf(DEFAULT_CAPABILITIES);
    for (const [deviceClass, device] of GPUS) {
      const busyThreads = Math.max(16_384, device.fillThreads / 2);
      expect(policyOf(capabilitiesOf(deviceClass as DeviceClass))).toEqual({
        ...unknown,
        device,
        busyThreads,
        threadRegisters: usableRegisters(device),
        winogradScratchBytes: (deviceClass === "nvidia" ? 32 : 64) * 2 ** 20,
      });
    }
  });

  test("of software devices has their own fill", () => {
    expect(policyOf(capabilitiesOf("software"))).toMatchObject({ name: "software", busyThreads: 64 });
  });
});

/** [input, weight, options]: what solvers differ in most. */
const LAYERS = {
  "7x7 at stride 2": [[1, 3, 224, 224], [64, 3, 7, 7], { stride: 2, padding: 3 }],
  "3x3": [[1, 64, 56, 56], [64, 64, 3, 3], { padding: 1 }],
  "1x1": [[32, 256, 14, 14], [1024, 256, 1, 1], {}],
  depthwise: [[1, 144, 56, 56], [144, 1, 3, 3], { padding: 1, groups: 144 }],
  "groups of 4": [[1, 128, 56, 56], [128, 4, 3, 3], { padding: 1, groups: 32 }],
  "few channels, dilated": [[2, 8, 40, 40], [4, 8, 5, 5], { padding: 8, dilation: 4 }],
} as const;

describe.each(DEVICE_CLASSES)("a device of class %s under the specification's least limits", (deviceClass) => {
  const capabilities = capabilitiesOf(deviceClass);
  test.each(Object.entries(LAYERS))("gets plans that it can run: %s", (_, [input, weight, options]) => {
    const problem = makeProblem(2, input, weight, options);
    for (const direction of ["forward", "inputGradient", "weightGradient", "biasGradient"] satisfies Direction[]) {
      const { plan } = select(plainOperation(direction, problem, { dtype: "float32" }), capabilities);
      expect(plan.dispatches.length, direction).toBeGreaterThan(0);
      expect(withinLimits(plan, capabilities), direction).toBe(plan);
    }
  });
});

test("a device that more threads fill gets smaller tiles where there are few", () => {
  const problem = makeProblem(2, [2, 3, 224, 224], [64, 3, 7, 7], { stride: 2, padding: 3 });
  const operation = plainOperation("inputGradient", problem, { dtype: "float32" });
  const sums = (deviceClass: DeviceClass): number => {
    const { solver, config } = select(operation, capabilitiesOf(deviceClass)).plan;
    expect(solver).toBe("register-tile");
    return config.mPerThread * config.nPerThread;
  };
  expect(sums("nvidia")).toBeLessThan(sums("amd-apu"));
  expect(sums("mali")).toBe(sums("unknown"));
});

test("registers of a thread leave room for four subgroups on each scheduler, and do not spill", () => {
  expect(usableRegisters(DEVICES.nvidia)).toBe(128);
  expect(usableRegisters(DEVICES["amd-gcn"])).toBe(64);
  expect(usableRegisters(DEVICES["intel-xe-lp"])).toBeCloseTo(0.95 * 64, 10);
  for (const deviceClass of DEVICE_CLASSES) {
    const { threadRegisters } = DEVICES[deviceClass];
    expect(usableRegisters(DEVICES[deviceClass])).toBeLessThan(threadRegisters);
  }
});
