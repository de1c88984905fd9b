/** `npm run kernels`: the report runs; and where the compilers of GPUs are at hand, what they make of a few kernels. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chooseCases, variantOf } from "../../../examples/kernels/cases.js";
import { compilersFolder, compilersMissing } from "../../../examples/kernels/compilers.js";
import { compileRows, type Device } from "../../../examples/kernels/devices.js";
import { documentOf } from "../../../examples/kernels/document.js";
import {
  fewestWaves,
  instructionsEach,
  issueBound,
  mainCompiled,
  scratchInLoops,
} from "../../../examples/kernels/rows.js";
import { ROOT } from "../../support/packed.js";

/** Beside the built report, so that it finds its packages. */
const BUILT = join(ROOT, "out", "kernels-test");

beforeAll(async () => {
  const configFile = join(ROOT, "examples", "kernels", "vite.config.ts");
  await build({ configFile, logLevel: "warn", build: { outDir: BUILT } });
});
afterAll(() => rmSync(BUILT, { recursive: true }));

const run = (...parameters: readonly string[]): string =>
  execFileSync(process.execPath, [join(BUILT, "main.js"), ...parameters], { encoding: "utf8", stdio: "pipe" });

test("without a model it plans, and says that nothing is compiled", () => {
  const printed = run("--filter", "deeplab", "--batch", "1");
  expect(printed).toMatch(/^Plans for .*; nothing is compiled/);
  expect(printed.match(/^\| DeepLab /gm)).toHaveLength(9);
  expect(printed).toMatch(/^\| 1 +\| weight gradient \| +1 \|/m);
  expect(printed).not.toContain("registers |");
});

test("a model without compilers is an error that says how to name them", () => {
  const environment = { ...process.env, CONV_GPU_COMPILERS: "no/such/folder" };
  const options = { encoding: "utf8", stdio: "pipe", env: environment } as const;
  const failing = (): string => execFileSync(process.execPath, [join(BUILT, "main.js"), "--model", "navi21"], options);
  expect(failing).toThrow("no/such/folder/as.sh was not found; CONV_GPU_COMPILERS names the folder that has it");
});

/** Tiles in all passes, Winograd, windows and strips. */
const SAMPLE = [
  { filter: "ResNet-50 64>256", batch: 32 },
  { filter: "ResNet-50 64>64 3x3 forward", batch: 1 },
  { filter: "MobileNetV2 depthwise 144 forward", batch: 1 },
  { filter: "SRGAN forward", batch: 1 },
]
  .flatMap(chooseCases)
  .filter((wanted) => variantOf(wanted) === "");

const folder = compilersFolder(ROOT, process.env);
const missing = compilersMissing(folder);

if (missing === undefined) {
  const places = { folder, script: join(BUILT, "compile.js") };
  const compile = (model: string): Promise<Device> => compileRows(model, SAMPLE, places, () => undefined);

  describe("with the compilers of GPUs", () => {
    test("every dispatch compiles on RDNA2, and none spills in a loop", async () => {
      const device = await compile("navi21");
      const { adapter, capabilities, rows } = device;
      expect(adapter).toContain("navi21");
      expect(capabilities.deviceClass).toBe("amd-rdna");
      expect(rows).toHaveLength(6);
      for (const row of rows) {
        const { planned, compiled } = row;
        const name = `${planned.layer.name} ${planned.pass}`;
        expect(new Set(planned.dispatches.map(({ text }) => text.key)), name).toEqual(new Set(compiled.keys()));
        expect(mainCompiled(row)?.registers, name).toBeGreaterThan(8);
        expect(fewestWaves(row), name).toBeGreaterThanOrEqual(4);
        expect(scratchInLoops(row), name).toBe(0);
        expect(issueBound(row), name).toBeGreaterThan(0.1);
        expect(issueBound(row), name).toBeLessThan(1);
      }
      expect(documentOf(new Map([["navi21", device]]))).toMatch(/^\| navi21 +\| all +\| all +\| +6 \|/m);
    });

    test("every dispatch compiles on Xe-LP, and its loops are read", async () => {
      const { rows } = await compile("tgl");
      for (const row of rows) {
        const name = `${row.planned.layer.name} ${row.planned.pass}`;
        expect(row.compiled.size, name).toBe(new Set(row.planned.dispatches.map(({ text }) => text.key)).size);
        expect(mainCompiled(row)?.registers, name).toBeGreaterThan(8);
        expect(instructionsEach(row), name).toBeGreaterThan(1);
      }
    });
  });
} else {
  // No skipped test: a run that skips one does not check what it covers (test/run/coverageReporter.ts).
  console.warn(`NOT RUN, the compilers of GPUs are missing: ${missing}`);
}
