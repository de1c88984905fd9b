/** Data-parallel training between processes, as the example does it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { buildIfStale, ROOT } from "../../support/packed.js";

beforeAll(buildIfStale);

test("two processes end with the same bits", async () => {
  const main = join(ROOT, "examples/parallel/main.ts");
  const options = ["--workers", "2", "--steps", "3", "--batch", "8"];
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", main, ...options], {
    cwd: ROOT,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(ROOT, "examples/tsconfig.json") },
  });
  expect(stdout).toMatch(/^2 processes, 3 steps of 8 glyphs, /);
  expect(stdout).toMatch(/the 25482 parameters are equal, bit for bit\n$/);
});
