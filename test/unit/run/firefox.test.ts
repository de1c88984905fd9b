/** Which Firefox the tests take, that one that does not work is told of in place of failing; and its share, and Deno's, of a run. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCommandLine } from "../../run/commandLine.js";
import { inDeno } from "../../run/deno.js";
import { inFirefox } from "../../run/firefox.js";
import { firefoxProgram } from "../../support/firefox/browser.js";
import { probeFirefox } from "../../support/firefox/probe.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "webgpu-conv-programs-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A script below the folder. */
function program(place: string, name: string, script = "exit 0", mode = 0o755): string {
  mkdirSync(join(folder, place), { recursive: true });
  const file = join(folder, place, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, mode);
  return file;
}

describe("the program", () => {
  test("is Debian's, else the one named firefox, wherever on the path; what cannot be run is none", () => {
    const plain = program("first", "firefox");
    program("first", "firefox-esr", "exit 0", 0o644);
    const PATH = ["first", "", "second"].map((name) => (name === "" ? "" : join(folder, name))).join(delimiter);
    expect(firefoxProgram({ PATH })).toBe(plain);
    const esr = program("second", "firefox-esr");
    expect(firefoxProgram({ PATH })).toBe(esr);
    expect(firefoxProgram({ PATH: join(folder, "third") })).toBeUndefined();
    expect(firefoxProgram({})).toBeUndefined();
  });

  test("is the one that is named", () => {
    const PATH = join(folder, "first");
    expect(firefoxProgram({ PATH, CONV_FIREFOX: "/opt/nightly/firefox" })).toBe("/opt/nightly/firefox");
    expect(firefoxProgram({ PATH, CONV_FIREFOX: "" })).toBe(join(PATH, "firefox"));
  });
});

describe("what does not work is told", () => {
  test("a program that ends, with what it printed", async () => {
    const broken = program("broken", "firefox", "echo 'no library for windows' >&2; exit 7");
    expect(await probeFirefox(broken, {})).toEqual({
      missing: "Firefox ended with 7; it printed: no library for windows\n",
    });
  });

  test("a program that is not there", async () => {
    const { missing } = (await probeFirefox(join(folder, "nowhere"), {})) as { readonly missing: string };
    expect(missing).toMatch(/could not be started: .*ENOENT/);
  });
});

describe("its tests", () => {
  const found = { note: "Firefox runs on a driver", environment: { CONV_FIREFOX: "/usr/bin/firefox" } };
  const plan = (...parameters: readonly string[]) =>
    inFirefox(found, readCommandLine(parameters, { CONV_SAMPLE: "7" }));

  test("are a sample of few groups in a short run, whose seed is the run's", () => {
    for (const { run, note } of [plan(), plan("firefox")]) {
      expect(run?.environment).toEqual({ CONV_FIREFOX: "/usr/bin/firefox", CONV_ONE_GROUP_IN: "6" });
      expect(note).toBe(`${found.note}; one group of tests in 6`);
    }
  });

  test("are a sample of fewer groups in the whole run of all platforms, which says how all of them are run", () => {
    const { run, note } = plan("--all");
    expect(run?.environment).toMatchObject({ CONV_SAMPLE: "7", CONV_ONE_GROUP_IN: "16" });
    expect(note).toMatch(/sample .* seed 7 \(npm run test:firefox -- --all runs all\)$/);
  });

  test("are all of them where Firefox alone is asked for", () => {
    const { run, note } = plan("firefox", "--all");
    expect(run?.environment).not.toHaveProperty("CONV_SAMPLE");
    expect(note).toBe(found.note);
  });

  test("are none where there is no Firefox, which is told", () => {
    const missing = { missing: "FIREFOX IS NOT TESTED: it is not installed" };
    expect(inFirefox(missing, readCommandLine([]))).toEqual({ note: missing.missing });
  });
});

describe("Deno's tests", () => {
  const found = { runtime: ["deno"], note: "Deno runs on a driver", environment: { VK_DRIVER_FILES: "driver.json" } };
  const plan = (...parameters: readonly string[]) => inDeno(found, readCommandLine(parameters, { CONV_SAMPLE: "7" }));

  test("are some of each group in a short run", () => {
    for (const { run, note } of [plan(), plan("deno")]) {
      expect(run?.environment).toEqual({ VK_DRIVER_FILES: "driver.json", CONV_ONE_GROUP_IN: "1" });
      expect(note).toBe(found.note);
    }
  });

  test("are these, and every kernel's compilation, in the whole run of all platforms, which says how all of them are run", () => {
    const { run, note } = plan("--all");
    const wholeFile = "test/gpu/shaders.test.ts";
    expect(run?.environment).toMatchObject({ CONV_SAMPLE: "7", CONV_ONE_GROUP_IN: "1", CONV_WHOLE_FILE: wholeFile });
    expect(existsSync(wholeFile)).toBe(true);
    expect(note).toMatch(/sample .* seed 7 \(npm run test:deno -- --all runs all\)$/);
  });

  test("are all of them where Deno alone is asked for", () => {
    const { run, note } = plan("deno", "--all");
    expect(run?.environment).not.toHaveProperty("CONV_SAMPLE");
    expect(note).toBe(found.note);
  });

  test("are none where there is no Deno, which is told", () => {
    expect(inDeno({ missing: "DENO IS NOT TESTED" }, readCommandLine([]))).toEqual({ note: "DENO IS NOT TESTED" });
  });
});
