/** The comparison of published networks with the peers: what is counted, what is right, and what is told of it. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseArguments } from "../../../examples/benchmark/peers/commandLine.js";
import { CPU_BASELINE, OWN_ENGINE } from "../../../examples/benchmark/peers/engine.js";
import { measureFirst, measureSteady, type Open } from "../../../examples/benchmark/peers/networks/measure.js";
import { choosePublished, PUBLISHED } from "../../../examples/benchmark/peers/networks/published.js";
import {
  emptyRow,
  type NetworkRow,
  type NetworksReport,
  rowOf,
} from "../../../examples/benchmark/peers/networks/row.js";
import { comparePublished, formatNetworks } from "../../../examples/benchmark/peers/networks/table.js";
import { decodeFloats, encodeFloats, type NetworkTask } from "../../../examples/benchmark/peers/networks/task.js";
import { mergeReports, type PeerReport } from "../../../examples/benchmark/peers/row.js";

describe("the command line", () => {
  test("has a part for them, which leaves the others out", () => {
    expect(parseArguments(["--only", "networks"])).toMatchObject({ only: "networks" });
  });

  test("filters them by name", () => {
    expect(choosePublished(undefined)).toEqual(PUBLISHED);
    expect(choosePublished("detector").map(({ name }) => name)).toEqual([
      "PP-OCRv4 detector, 640x640",
      "PP-OCRv4 detector, 320x480",
    ]);
    expect(choosePublished("no such")).toEqual([]);
  });
});

describe("networks", () => {
  test("each has a name of its own, this engine and a peer, and a size that its layout says", () => {
    expect(new Set(PUBLISHED.map(({ name }) => name)).size).toBe(PUBLISHED.length);
    for (const { engines, input, weights } of PUBLISHED) {
      expect(engines).toContain(OWN_ENGINE);
      expect(engines.filter((name) => name !== OWN_ENGINE && name !== CPU_BASELINE)).not.toEqual([]);
      expect(input[weights === undefined ? 1 : 3]).toBe(3);
    }
  });

  test("values go to the page and back with their bits", () => {
    const values = Float32Array.of(0.1, -0, NaN, 2 ** -149, 3e38);
    expect(decodeFloats(encodeFloats(values.subarray(1)))).toEqual(values.slice(1));
  });
});

/** As much of WebGPU as is counted. */
class FakeBuffer {
  destroy(): void {
    // Nothing is there.
  }
}
class FakeDevice {
  createBuffer(): FakeBuffer {
    return new FakeBuffer();
  }
  destroy(): void {
    // Likewise.
  }
}
class FakePass {
  setPipeline(): void {
    // Nothing runs.
  }
  dispatchWorkgroups(): void {
    // Nothing runs.
  }
}

const buffer = (device: GPUDevice, size: number): GPUBuffer => device.createBuffer({ size, usage: 0 });
const RESULT = Float32Array.of(1, 2, 4);
const TASK: NetworkTask = {
  network: PUBLISHED[0],
  model: "",
  weights: "",
  x: encodeFloats(Float32Array.of(5)),
  expected: encodeFloats(RESULT),
};

/** One that takes 100 bytes for good and 40 while it runs, in two dispatches; `close` is the case's. */
const openerWith =
  (values: Float32Array, close: (device: GPUDevice, kept: GPUBuffer) => void): Open =>
  ({ x }) => {
    expect(x).toEqual(Float32Array.of(5));
    const device = new FakeDevice() as unknown as GPUDevice;
    const kept = buffer(device, 100);
    return Promise.resolve({
      device,
      run: () => {
        const working = buffer(device, 40);
        const pass = new FakePass() as unknown as GPUComputePassEncoder;
        pass.setPipeline({ label: "kernel" } as GPUComputePipeline);
        pass.dispatchWorkgroups(1);
        pass.dispatchWorkgroups(1);
        working.destroy();
        return Promise.resolve(values);
      },
      close: () => close(device, kept),
    });
  };

describe("what is measured", () => {
  beforeAll(() => {
    vi.stubGlobal("GPUDevice", FakeDevice);
    vi.stubGlobal("GPUBuffer", FakeBuffer);
    vi.stubGlobal("GPUComputePassEncoder", FakePass);
  });
  afterAll(() => {
    vi.unstubAllGlobals();
  });

  test.each<[string, number, (device: GPUDevice, kept: GPUBuffer) => void]>([
    ["what stays is counted, of both runs", 200, () => undefined],
    ["what is destroyed is given back", 0, (_, kept) => kept.destroy()],
    ["what goes with its device, too", 0, (device) => device.destroy()],
    [
      "and once, where both are destroyed",
      0,
      (device, kept) => {
        device.destroy();
        kept.destroy();
      },
    ],
  ])("first results: %s", async (_, leftBytes, close) => {
    const first = await measureFirst(TASK, openerWith(RESULT, close));
    expect(first).toMatchObject({ peakBytes: 140, leftBytes, difference: 0 });
    expect(first.coldMs).toBeGreaterThanOrEqual(0);
    expect(first.warmMs).toBeGreaterThanOrEqual(0);
  });

  test("rounds: each engine's own result, time and dispatches", async () => {
    const closed: string[] = [];
    const right = openerWith(RESULT, () => closed.push("right"));
    const wrong = openerWith(Float32Array.of(1, 2, 3), () => closed.push("wrong"));
    const onCpu: Open = () =>
      Promise.resolve({ device: undefined, run: () => Promise.resolve(RESULT), close: () => undefined });
    const [first, second, third] = await measureSteady(TASK, [right, wrong, onCpu], 2);
    expect(first).toMatchObject({ dispatches: 2, difference: 0 });
    expect(second).toMatchObject({ dispatches: 2, difference: 0.25 });
    expect(third).toMatchObject({ dispatches: null, difference: 0 });
    expect(first.ms).toBeGreaterThan(0);
    expect(closed).toEqual(["right", "wrong"]);
  });
});

const FIRST = { coldMs: 1000, warmMs: 100, peakBytes: 2 ** 21, leftBytes: 0, difference: 1e-6 };
const row = (engine: string, more: Partial<NetworkRow>): NetworkRow => ({
  ...rowOf("net", engine, FIRST, { ms: 10, dispatches: 5, difference: 1e-7 }),
  ...more,
});

describe("what is right", () => {
  test.each<[string, number, number, NetworkRow["verdict"]]>([
    ["both near", 1e-5, 1e-4, "pass"],
    ["the first off", 1e-3, 0, "fail"],
    ["the last off", 0, 1e-3, "fail"],
    ["one not a number", NaN, 0, "fail"],
  ])("%s", (_, first, last, verdict) => {
    const made = rowOf("net", "jax-js", { ...FIRST, difference: first }, { ms: 1, dispatches: 1, difference: last });
    expect(made).toMatchObject({ verdict, difference: Math.max(first, last) });
  });

  test("an engine that cannot has no numbers; this one fails", () => {
    expect(emptyRow("net", "jax-js", "why")).toMatchObject({ verdict: "cannot", ms: null, coldMs: null });
    expect(emptyRow("net", OWN_ENGINE, "why").verdict).toBe("fail");
  });
});

describe("what is told", () => {
  const own = row(OWN_ENGINE, {});
  const fast = row("tfjs-webgpu", { ms: 25, coldMs: 2000, peakBytes: 2 ** 22 });
  const early = row("jax-js", { ms: 40, coldMs: 500, warmMs: 400, peakBytes: 2 ** 20 });
  const cpu = row(CPU_BASELINE, { ms: 1, coldMs: 1, warmMs: 1, peakBytes: null, leftBytes: null, dispatches: null });

  test("each respect is compared with the best of the peers in it", () => {
    expect(comparePublished([own, fast, early, cpu])).toBe(
      "2.50 times as fast as tfjs-webgpu; time to the first result 2.00 times that of jax-js cold, " +
        "1.00 times that of tfjs-webgpu warm; peak memory 2.00 times that of jax-js",
    );
  });

  test("wrong results and the CPU's have no say", () => {
    expect(comparePublished([own, { ...fast, verdict: "fail" }, early])).toMatch(/^4.00 times as fast as jax-js/);
    expect(comparePublished([{ ...own, verdict: "fail" }, fast])).toBeUndefined();
    expect(comparePublished([own, cpu])).toBeUndefined();
  });

  test("the table has each engine, and reasons where one could not", () => {
    const rows = [
      own,
      row("tfjs-webgpu", { verdict: "fail", difference: NaN }),
      cpu,
      emptyRow("net", "jax-js", "no\n op"),
    ];
    const text = formatNetworks({ rows } as unknown as NetworksReport);
    expect(text).toContain(`| net | ${OWN_ENGINE} | 10.0 | 1000 | 100 | 2.0 | 0.0 | 5 | 1.0e-6 |`);
    expect(text).toContain("| net | tfjs-webgpu | wrong | 1000 | 100 | 2.0 | 0.0 | 5 | NaN |");
    expect(text).toContain(`| net | ${CPU_BASELINE} | 1.0 | 1 | 1 |  |  |  | 1.0e-6 |`);
    expect(text).toContain("| net | jax-js | cannot |");
    expect(text).toContain("- jax-js, net: no op");
    expect(text).toContain("- tfjs-webgpu, net: the results are not those of float64");
  });

  test("what a run leaves out stays as it was", () => {
    const older = { date: "2026-01-01" } as unknown as PeerReport;
    const networks = { rows: [own] } as unknown as NetworksReport;
    const nothing = { layers: undefined, training: undefined, networks: undefined };
    expect(mergeReports(undefined, { ...nothing, networks })).toBeUndefined();
    expect(mergeReports(older, { ...nothing, networks })).toEqual({ ...older, networks });
    expect(mergeReports({ ...older, networks }, { ...nothing, layers: older })).toEqual({ ...older, networks });
  });
});
