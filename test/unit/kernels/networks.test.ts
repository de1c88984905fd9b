/** `npm run kernels -- --nn`: every kernel of networks is in its list, moves few bytes and, where GPUs' compilers are at hand, does not spill. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compilersFolder, compilersMissing } from "../../../examples/kernels/compilers.js";
import { DESCRIBED } from "../../../examples/kernels/devices.js";
import { compileNetworkRows, networkTable, planNetworkRows } from "../../../examples/kernels/nn/report.js";
import { ROOT } from "../../support/packed.js";

/** What reads some of its operands twice, since a sum over them comes first: two passes of three, or of layer norm's gradient three. */
const TWICE = /Norm$|NormGradient$|^adamw$/;

test("all kernels of networks are in the list, and memory is read and written once", async () => {
  const rows = await planNetworkRows("", DESCRIBED, () => Promise.resolve(new Map()));
  const reached = new Set(rows.flatMap(({ dispatches }) => dispatches.map(({ text }) => text.name)));
  const kernels = readdirSync(join(ROOT, "shaders", "nn")).flatMap((file) => /^(\w+)\.wgsl$/.exec(file)?.[1] ?? []);
  expect(kernels.filter((name) => !reached.has(name))).toEqual([]);
  for (const { name, operation, movedBytes, leastBytes } of rows) {
    const most = operation === "layerNormGradient" ? 2.4 : TWICE.test(operation) ? 1.7 : 1.1;
    expect(movedBytes / leastBytes, `${operation} of ${name}`).toBeLessThan(most);
    expect(movedBytes / leastBytes, `${operation} of ${name}`).toBeGreaterThan(0.98);
  }
  expect(networkTable(new Map([["planned", rows]]))).toMatch(/^\| dropout +\| dropout +\| dropout +\| +1\.00 \|/m);
});

const folder = compilersFolder(ROOT, process.env);
const missing = compilersMissing(folder);

if (missing === undefined) {
  /** Beside the report's, so that it finds its packages. */
  const built = join(ROOT, "out", "kernels-networks-test");
  beforeAll(async () => {
    const configFile = join(ROOT, "examples", "kernels", "vite.config.ts");
    await build({ configFile, logLevel: "warn", build: { outDir: built } });
  });
  afterAll(() => rmSync(built, { recursive: true }));

  test("none of those in channels-last tensors spills on Xe-LP, which has the fewest registers", async () => {
    const rows = await compileNetworkRows("tgl", "channels-last", { folder, script: join(built, "compile.js") });
    expect(rows.length).toBeGreaterThan(18);
    for (const { name, operation, dispatches, compiled } of rows) {
      expect(new Set(dispatches.map(({ text }) => text.key)), name).toEqual(new Set(compiled.keys()));
      for (const { spills, fills, registers } of compiled.values()) {
        expect([spills, fills], `${operation} of ${name}`).toEqual([0, 0]);
        expect(registers).toBeGreaterThan(4);
      }
    }
  });
} else {
  // No skipped test: a run that skips one does not check what it covers (test/run/coverageReporter.ts).
  console.warn(`NOT RUN, the compilers of GPUs are missing: ${missing}`);
}
