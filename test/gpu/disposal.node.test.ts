/** In Node, whatever an engine is doing when it is disposed of, dropped, or left behind: the process goes on, and ends. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { buildIfStale, ROOT } from "../support/packed.js";
import { DISPOSED, PENDING } from "../support/pendingWork.js";

/** A process that goes on for longer has not ended by itself. */
const MOST_MILLISECONDS = 90_000;

interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly lines: readonly string[];
  readonly errors: string;
}

/** Runs a script of test/support/process to its end, on the package as it is built. */
async function run(script: string, ...options: readonly string[]): Promise<Ending> {
  const path = join(ROOT, "test/support/process", script);
  const child = spawn(process.execPath, ["--expose-gc", "--import", "tsx", path, ...options], {
    cwd: ROOT,
    // Without the paths that lead tests to the sources.
    env: { ...process.env, TSX_TSCONFIG_PATH: join(ROOT, "examples/tsconfig.json") },
    timeout: MOST_MILLISECONDS,
  });
  let printed = "";
  let errors = "";
  child.stdout.on("data", (data) => (printed += String(data)));
  child.stderr.on("data", (data) => (errors += String(data)));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on("close", (...ending) => resolve(ending));
  });
  return { code, signal, lines: printed.split("\n").filter((line) => line !== ""), errors };
}

beforeAll(buildIfStale);

test("engines disposed of while anything waits reject that, and the process ends", async () => {
  const { code, signal, lines, errors } = await run("disposals.ts");
  expect({ code, signal }, errors).toEqual({ code: 0, signal: null });
  // Later on it may be done already.
  const isRight = (line: string): boolean => {
    return line.endsWith(DISPOSED) || (line.endsWith(": done") && !line.includes(" at once: "));
  };
  expect(lines.filter((line) => !isRight(line))).toEqual([]);
  expect(lines.length).toBe(3 * Object.keys(PENDING).length);
});

describe("a process ends by itself where", () => {
  test.for([
    { where: "an engine is open", lines: ["the end"] },
    { where: "an engine is open and busy", lines: ["the end", "2"] },
    { where: "engines were dropped", lines: ["collected", "the end"] },
    { where: "engines that recover were dropped", lines: ["collected", "the end"] },
    { where: "engines on a caller's device were disposed of", lines: ["collected", "the end"] },
    { where: "the device of a disposed engine is asked", lines: ["the end"] },
    { where: "workers have engines", lines: ["the worker's end", "the worker's end", "2", "the end"] },
    { where: "process.exit is called", lines: [], expected: 7 },
    { where: "an error is thrown", lines: [], expected: 1 },
  ])("$where", async ({ where, lines, expected = 0 }) => {
    const ending = await run("endings.ts", where);
    expect(ending, ending.errors).toMatchObject({ code: expected, signal: null, lines });
    if (expected === 1) expect(ending.errors).toContain("of the caller's own");
  });
});
