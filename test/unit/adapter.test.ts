/** What is told of an adapter: in words, and its class. */
import { describe, expect, test } from "vitest";
import { adapterInfoOf, classify, describeAdapter, isSoftware } from "../../src/planning/adapter.js";
import { DEVICE_CLASSES, type DeviceClass } from "../../src/planning/devices.js";
import { adapterInfo as info } from "../support/adapters.js";

/** The specification's least limit of workgroup memory. */
const LEAST_BYTES = 16_384;
const classOf = (parts: Partial<GPUAdapterInfo>, bytes = LEAST_BYTES) => classify(info(parts), bytes).deviceClass;

describe("software adapters", () => {
  test.each([
    ["SwiftShader", info({ vendor: "google", architecture: "swiftshader" })],
    ["lavapipe", info({ description: "llvmpipe (LLVM 15.0.6, 256 bits)" })],
    ["lavapipe by its driver's name", info({ device: "lavapipe" })],
    ["Windows' basic renderer", info({ vendor: "microsoft", description: "Microsoft Basic Render Driver" })],
    ["WARP", info({ architecture: "WARP" })],
    ["a fallback adapter without a name", info({ isFallbackAdapter: true })],
  ])("%s", (_, adapter) => {
    expect(isSoftware(adapter)).toBe(true);
    expect(classify(adapter, LEAST_BYTES).deviceClass).toBe("software");
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
  expect(describeAdapter(adapterInfoOf({}))).toBe("unnamed WebGPU adapter");
});

describe("the class by vendor and architecture, which is all that Chromium tells", () => {
  test.each<[vendor: string, architectures: string[], expected: DeviceClass]>([
    ["nvidia", ["", "maxwell", "pascal", "turing", "ampere", "lovelace", "blackwell"], "nvidia"],
    ["amd", ["rdna-1", "rdna-2", "rdna-3", "rdna-4"], "amd-rdna"],
    ["amd", ["gcn-5"], "amd-apu"],
    ["amd", ["gcn-1", "gcn-2", "gcn-3", "gcn-4"], "amd-gcn"],
    ["intel", ["", "gen-7", "gen-8", "gen-9", "gen-11", "gen-12lp", "gen-12-lp", "xe-lpg"], "intel-xe-lp"],
    ["intel", ["gen-12hp", "gen-12-hp", "xe-hpg"], "intel-xe-hpg"],
    ["intel", ["gen-13-lp", "xe-2lpg", "xe-2hpg", "xe-3lpg"], "intel-xe2"],
    ["apple", ["", "common-1", "common-3", "metal-3"], "apple"],
    ["qualcomm", ["", "adreno-5xx", "adreno-6xx", "adreno-7xx"], "adreno"],
    ["arm", ["", "bifrost", "valhall", "5th-gen"], "mali"],
    ["samsung", ["rdna-2"], "amd-apu"],
    ["img-tec", [""], "unknown"],
    ["amd", [""], "unknown"],
    ["", [""], "unknown"],
  ])("%s %j: %s", (vendor, architectures, expected) => {
    for (const architecture of architectures) expect(classOf({ vendor, architecture })).toBe(expected);
  });
});

/** As Dawn in Node, Deno and Safari gave them. */
describe("the class by recorded names", () => {
  const radv = (architecture: string, model: string): Partial<GPUAdapterInfo> => ({
    vendor: "amd",
    architecture,
    device: `null-hardware-radv-${model}-`,
    description: "radv: Mesa 25.0.7-2~bpo12+1",
  });
  const anv = (architecture: string, device: string): Partial<GPUAdapterInfo> => ({
    vendor: "intel",
    architecture,
    device,
    description: "Intel open-source Mesa driver: Mesa 25.0.7-2~bpo12+1",
  });
  const deno = (vendor: string, description: string): Partial<GPUAdapterInfo> => ({ vendor, device: "1", description });
  const safari = { vendor: "apple", architecture: "apple", device: "apple", description: "apple" };

  test.each<[DeviceClass, ...Partial<GPUAdapterInfo>[]]>([
    ["amd-rdna", radv("rdna-1", "navi10"), radv("rdna-2", "navi21"), radv("rdna-3", "navi31")],
    ["amd-rdna", { ...radv("", "gfx1201"), subgroupMinSize: 32, subgroupMaxSize: 64 }],
    ["amd-apu", radv("rdna-2", "vangogh"), radv("", "phoenix"), radv("", "gfx1150")],
    ["amd-apu", radv("gcn-5", "renoir"), radv("gcn-5", "raven")],
    ["amd-gcn", radv("gcn-5", "vega10"), radv("gcn-4", "polaris10")],
    ["intel-xe-lp", anv("gen-9", "intel-r-hd-graphics-530-skl-gt2-")],
    ["intel-xe-lp", anv("gen-12lp", "intel-r-iris-r-xe-graphics-tgl-gt2-")],
    ["intel-xe-lp", anv("xe-lpg", "intel-r-arc-tm-graphics-mtl-")],
    ["intel-xe-hpg", anv("gen-12hp", "intel-r-arc-tm-a770-graphics-dg2-")],
    ["intel-xe2", anv("xe-2lpg", "intel-r-graphics-lnl-"), anv("xe-2hpg", "intel-r-graphics-bmg-g21-")],
    ["amd-rdna", deno("4098", "Null hardware (RADV NAVI21)"), deno("4098", "AMD Radeon RX 6700 XT")],
    ["amd-rdna", deno("4098", "AMD Radeon Graphics (RADV NAVI31)")],
    ["amd-apu", deno("4098", "AMD Radeon(TM) Graphics"), deno("4098", "AMD Radeon 780M Graphics")],
    ["amd-gcn", deno("4098", "Radeon RX 580 Series"), deno("4098", "AMD Radeon RX Vega 64")],
    [
      "intel-xe-lp",
      deno("32902", "Intel(R) Iris(R) Xe Graphics (TGL GT2)"),
      deno("32902", "Intel(R) UHD Graphics 630"),
    ],
    ["intel-xe-hpg", deno("32902", "Intel(R) Arc(TM) A770 Graphics")],
    ["intel-xe2", deno("32902", "Intel(R) Arc(TM) B580 Graphics"), deno("32902", "Intel(R) Arc(TM) 140V GPU (16GB)")],
    ["nvidia", deno("4318", "NVIDIA GeForce RTX 3060")],
    ["apple", deno("0", "Apple M2"), safari, { vendor: "apple", device: "applem2ultra" }],
    ["mali", deno("5045", "Mali-G78")],
    ["adreno", deno("20803", "Adreno (TM) 740"), deno("20803", "Turnip Adreno (TM) 650")],
    ["software", deno("65541", "llvmpipe (LLVM 15.0.6, 256 bits)")],
  ])("%s: %j", (expected, ...infos) => {
    for (const parts of infos) expect(classOf(parts)).toBe(expected);
  });
});

describe("where no name tells it", () => {
  test.each<[number, number, DeviceClass]>([
    [32, 64, "amd-rdna"],
    [64, 64, "amd-apu"],
    [64, 128, "adreno"],
    [8, 32, "intel-xe-lp"],
    [16, 32, "intel-xe2"],
    [16, 16, "mali"],
    // NVIDIA's and Apple's are alike; and what the specification gives where nothing is to be told.
    [32, 32, "unknown"],
    [4, 128, "unknown"],
  ])("subgroups of %i to %i lanes: %s", (subgroupMinSize, subgroupMaxSize, expected) => {
    const found = classify(info({ subgroupMinSize, subgroupMaxSize }), LEAST_BYTES);
    expect(found.deviceClass).toBe(expected);
    const lanes = `by subgroups of ${String(subgroupMinSize)} to ${String(subgroupMaxSize)} lanes`;
    expect(found.classifiedBy).toBe(expected === "unknown" ? "nothing tells it" : lanes);
  });

  test("48 KiB of workgroup memory are NVIDIA's", () => {
    expect(classify(info({}), 49_152)).toEqual({
      deviceClass: "nvidia",
      classifiedBy: "by 49152 bytes of workgroup memory",
    });
    expect(classOf({}, 32_768)).toBe("unknown");
  });

  test("names come first", () => {
    expect(classOf({ vendor: "apple", subgroupMinSize: 16, subgroupMaxSize: 32 })).toBe("apple");
    expect(classOf({ vendor: "amd", subgroupMinSize: 32, subgroupMaxSize: 64 })).toBe("amd-rdna");
  });
});

test("every class can be told", () => {
  const told = [
    ...["nvidia", "apple", "qualcomm", "arm", "intel", "", "google swiftshader"].map((vendor) => classOf({ vendor })),
    ...["rdna-2", "gcn-4", "gcn-5"].map((architecture) => classOf({ vendor: "amd", architecture })),
    ...["xe-hpg", "xe-2hpg"].map((architecture) => classOf({ vendor: "intel", architecture })),
  ];
  expect(new Set(told)).toEqual(new Set(DEVICE_CLASSES));
});
