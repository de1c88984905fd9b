/** What is asked of an adapter, and read of a device. */
import { expect, test } from "vitest";
import { DEFAULT_CAPABILITIES, deviceRequest, readCapabilities } from "../../src/planning/capabilities.js";
import { adapterInfo } from "../support/adapters.js";

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
  const info = adapterInfo({ subgroupMinSize });
  const device = { features: new Set(features), limits: DEFAULT_CAPABILITIES.limits, adapterInfo: info };
  expect(readCapabilities(device as never).subgroupLanes).toBe(lanes);
});

test("a device that does not know its adapter is of no known class, without subgroups", () => {
  const device = { features: new Set(["subgroups"]), limits: DEFAULT_CAPABILITIES.limits };
  expect(readCapabilities(device as never)).toEqual({ ...DEFAULT_CAPABILITIES, subgroupLanes: 1 });
});

test("the class is the adapter's, or else the caller's", () => {
  const info = adapterInfo({ vendor: "nvidia", architecture: "ampere" });
  const device = { features: new Set(), limits: DEFAULT_CAPABILITIES.limits, adapterInfo: info } as never;
  expect(readCapabilities(device)).toMatchObject({
    deviceClass: "nvidia",
    classifiedBy: 'by the name "nvidia ampere"',
  });
  expect(readCapabilities(device, "apple")).toMatchObject({ deviceClass: "apple", classifiedBy: "by the caller" });
});
