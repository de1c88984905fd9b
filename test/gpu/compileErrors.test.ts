/** The text that a device is given can be read, and a kernel that does not compile is an error that cites it. */
import { DeviceError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { failingDevice } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { makeTarget } from "../support/texture.js";

/** The first line of the entry point, which is made one that no compiler takes. */
const FIRST_LINE = /^.*fn (?:main|paint)\([^{]*\{\n.*$/m;

const withWrongLine = (code: string): string => code.replace(FIRST_LINE, (lines) => `${lines} let wrong = undeclared;`);

/** How the error cites that line: as it was given, with two lines before and after it. */
function citationOf(code: string): string {
  const match = FIRST_LINE.exec(code);
  const end = (match?.index ?? 0) + (match?.[0].length ?? 0);
  const number = code.slice(0, end).split("\n").length;
  const lines = code.split("\n").slice(number - 3, number + 2);
  return lines.map((line, i) => `${i === 2 ? ">" : " "} ${String(number - 2 + i).padStart(4)} | ${line}`).join("\n");
}

/** What compilers say of it: Dawn's, and naga. */
const SAID = /unresolved value 'undeclared'|no definition in scope for identifier: `undeclared`/;

describe("a kernel that does not compile", () => {
  gpuTest("is an error of what depends on it, which cites line and text", async ({ engine: shared }) => {
    const { device, faults } = failingDevice(deviceOf(shared));
    let given = "";
    faults.rewrite = (code) => withWrongLine((given = code));
    using engine = await createEngine({ device });
    using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    using w = engine.tensor([2], [1, 1, 1, 1]);
    using y = engine.conv2d(x, w, { solver: "direct" });
    const error: unknown = await y.data().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DeviceError);
    const { message } = error as DeviceError;
    const [first, ...cited] = message.split("\n");
    expect(first).toMatch(/^kernel direct did not compile: line \d+: /);
    expect(first).toMatch(SAID);
    expect(cited.join("\n")).toBe(citationOf(given));
    await expect(engine.finish()).rejects.toThrow(/^kernel direct did not compile/);
    // The next call compiles it once more.
    faults.rewrite = undefined;
    using again = engine.conv2d(x, w, { solver: "direct" });
    expect([...(await again.data())]).toEqual([2, 4, 6, 8]);
  });

  gpuTest("is likewise an error of drawing", async ({ engine: shared }) => {
    const { device, faults } = failingDevice(deviceOf(shared));
    let given = "";
    faults.rewrite = (code) => withWrongLine((given = code));
    using engine = await createEngine({ device });
    using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    const texture = makeTarget(device, 8, 8);
    const error: unknown = await engine.draw(x, texture).catch((reason: unknown) => reason);
    texture.destroy();
    expect(error).toBeInstanceOf(DeviceError);
    expect((error as DeviceError).message).toMatch(/^kernel draw_plane did not compile: line \d+: /);
    expect((error as DeviceError).message).toContain(citationOf(given));
  });
});

describe("an explanation's code", () => {
  gpuTest("is what the device is given", async ({ engine: shared }) => {
    const { device, faults } = failingDevice(deviceOf(shared));
    const given = new Map<string, string>();
    faults.rewrite = (code, label) => {
      given.set(label, code);
      return code;
    };
    using engine = await createEngine({ device });
    const shapes = { input: [1, 32, 16, 16], weight: [32, 32, 3, 3] };
    const { dispatches } = engine.explain("conv2d", shapes, { padding: 1, solver: "winograd", dtype: "float16" });
    using x = engine.tensor(new Float32Array(32 * 256), shapes.input, { dtype: "float16" });
    using w = engine.tensor(new Float32Array(32 * 32 * 9), shapes.weight, { dtype: "float16" });
    engine.conv2d(x, w, { padding: 1, solver: "winograd" }).dispose();
    await engine.finish();
    expect(dispatches.length).toBeGreaterThanOrEqual(4);
    const codes = await Promise.all(dispatches.map(async ({ kernel, code }) => [kernel, await code] as const));
    expect([...given.keys()].sort()).toEqual([...new Set(codes.map(([kernel]) => kernel))].sort());
    for (const [kernel, code] of codes) {
      // Halves are converted to and from: two texts of one kernel.
      if (kernel !== "convert_half") expect(given.get(kernel)).toBe(code);
    }
  });
});
