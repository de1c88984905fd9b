/** Which Firefox the tests take, and that one that does not work is told of in place of failing. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
