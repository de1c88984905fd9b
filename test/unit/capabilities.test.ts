/** What is told of an adapter. */
import { describe, expect, test } from "vitest";
import {
  adapterInfoOf,
  DEFAULT_CAPABILITIES,
  describeAdapter,
  deviceRequest,
  isSoftware,
  readCapabilities,
} from "../../src/planning/capabilities.js";

function info(parts: Partial<Record<"vendor" | "architecture" | "device" | "description", string>>, fallback = false) {
  const words = { vendor: "", architecture: "", device: "", description: "", ...parts };
  return { ...words, isFallbackAdapter: fallback } as GPUAdapterInfo;
}

describe("software adapters", () => {
  test.each([
    ["SwiftShader", info({ vendor: "google", architecture: "swiftshader" })],
    ["lavapipe", info({ description: "llvmpipe (LLVM 15.0.6, 256 bits)" })],
    ["lavapipe by its driver's name", info({ device: "lavapipe" })],
    ["Windows' basic renderer", info({ vendor: "microsoft", description: "Microsoft Basic Render Driver" })],
    ["WARP", info({ architecture: "WARP" })],
    ["a fallback adapter without a name", info({}, true)],
  ])("%s", (_, adapter) => {
    expect(isSoftware(adapter)).toBe(true);
    expect(describeAdapter(adapter)).toMatch(/ \(software: runs on the CPU\)$/);
  });

  test.each([
    ["NVIDIA", info({ vendor: "nvidia", architecture: "ampere", description: "NVIDIA GeForce RTX 3080" })],
    ["Apple", info({ vendor: "apple", architecture: "common-3" })],
    ["Intel", info({ vendor: "intel", architecture: "gen-12lp" })],
    ["one that says nothing", info({})],
  ])("%s is none", (_, adapter) => {
    expect(isSoftware(adapter)).toBe(false);
    expect(describeAdapter(adapter)).not.toContain("software");
  });
});

test("the description says each word once, and something where there is none", () => {
  expect(describeAdapter(info({ vendor: "intel", architecture: "xe", device: "xe" }))).toBe("intel xe");
  expect(describeAdapter(info({}))).toBe("unnamed WebGPU adapter");
});

test("the device request asks for the adapter's limits, and for features only where it has them", () => {
  const limits = { ...DEFAULT_CAPABILITIES.limits, maxBufferSize: 2 ** 33, maxBindGroups: 4 };
  const request = (features: string[]) => deviceRequest({ limits, features: new Set(features) } as never);
  expect(request([]).requiredFeatures).toEqual([]);
  expect(request(["timestamp-query", "dual-source-blending"]).requiredFeatures).toEqual(["timestamp-query"]);
  expect(request(["subgroups"]).requiredFeatures).toEqual(["subgroups"]);
  expect(request(["shader-f16", "timestamp-query"]).requiredFeatures).toEqual(["timestamp-query", "shader-f16"]);
  expect(request([]).requiredLimits).toEqual({ ...DEFAULT_CAPABILITIES.limits, maxBufferSize: 2 ** 33 });
});

test.each([
  ["as many as it tells", ["subgroups"], 8, 8],
  ["one where it tells none", ["subgroups"], undefined, 1],
  ["one without the feature", [], 8, 1],
])("lanes of a subgroup: %s", (_, features, subgroupMinSize, lanes) => {
  const adapterInfo = Object.assign(info({}), { subgroupMinSize });
  const device = { features: new Set(features), limits: DEFAULT_CAPABILITIES.limits, adapterInfo };
  expect(readCapabilities(device as never).subgroupLanes).toBe(lanes);
});

test("a device that does not know its adapter is taken to be a GPU without subgroups", () => {
  const device = { features: new Set(["subgroups"]), limits: DEFAULT_CAPABILITIES.limits };
  expect(readCapabilities(device as never)).toMatchObject({ software: false, subgroupLanes: 1 });
  expect(describeAdapter(adapterInfoOf({}))).toBe("unnamed WebGPU adapter");
});
