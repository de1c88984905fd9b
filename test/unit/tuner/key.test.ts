/** What a tuned choice is kept by. */
import { describe, expect, test } from "vitest";
import { DEFAULT_CAPABILITIES } from "../../../src/planning/capabilities.js";
import { adapterKey, bucketOf, bucketSize } from "../../../src/tuner/key.js";
import { layer } from "./layer.js";

describe("keys", () => {
  test("buckets end at powers of two and half way between them", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 56, 64, 65].map(bucketSize)).toEqual([
      1, 2, 3, 4, 6, 6, 8, 12, 12, 16, 64, 64, 96,
    ]);
  });

  test("problems whose sizes are rounded alike share a bucket, others do not", () => {
    expect(bucketOf(layer(60, 28))).toBe(bucketOf(layer(64, 30)));
    const others = [
      layer(65, 28),
      layer(64, 33),
      layer(64, 28, { dilation: 2 }),
      layer(64, 28, { stride: 2 }),
      layer(64, 28, { padding: 1 }),
      { ...layer(64, 28), dtype: "float16" as const },
      { ...layer(64, 28), bias: true },
      { ...layer(64, 28), direction: "inputGradient" as const },
    ];
    expect(new Set([layer(64, 28), ...others].map(bucketOf)).size).toBe(1 + others.length);
  });

  test("a device is known by its name and by what planning reads of it", () => {
    const adapter = {
      description: "a",
      backend: "webgpu",
      software: false,
      vendor: "v",
      architecture: "x",
      features: [],
      maxTensorBytes: 1,
    } as const;
    const keys = [
      adapterKey(adapter, DEFAULT_CAPABILITIES),
      adapterKey({ ...adapter, description: "b" }, DEFAULT_CAPABILITIES),
      adapterKey(adapter, { ...DEFAULT_CAPABILITIES, subgroupLanes: 32 }),
      adapterKey(adapter, { ...DEFAULT_CAPABILITIES, deviceClass: "apple" }),
      adapterKey(adapter, { ...DEFAULT_CAPABILITIES, limits: { ...DEFAULT_CAPABILITIES.limits, maxBufferSize: 1 } }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(adapterKey({ ...adapter }, { ...DEFAULT_CAPABILITIES, classifiedBy: "by the caller" })).toBe(keys[0]);
  });
});
