/** What a run of all platforms adds on a driver that computes in float16: a sample, or what the command line names. */
import { describe, expect, test } from "vitest";
import { readCommandLine } from "../../run/commandLine.js";
import { inFloat16 } from "../../run/float16.js";

const found = { note: "a driver", environment: { VK_DRIVER_FILES: "driver.json" } };
const plan = (parameters: readonly string[], environment: Readonly<Record<string, string>> = { CONV_SAMPLE: "7" }) =>
  inFloat16(found, readCommandLine(parameters, environment));

describe("what speaks of float16", () => {
  test("is sampled in short runs and in whole ones alike, by the run's seed, which is told", () => {
    for (const { run, note } of [plan([]), plan(["--all"]), plan(["float16"]), plan(["float16", "--all"])]) {
      expect(run?.projects).toEqual(["float16"]);
      const sample = { CONV_FLOAT16: "1", CONV_SAMPLE: "7", CONV_ONE_GROUP_IN: "2" };
      expect(run?.environment).toEqual({ VK_DRIVER_FILES: "driver.json", ...sample });
      expect(note).toMatch(/a sample by the seed 7 \(npm run test:lavapipe -- --all .*\), on a driver$/);
    }
  });

  test("is run in whole where files are named", () => {
    const { run, note } = plan(["test/gpu/half.test.ts"], {});
    expect(run?.environment).toEqual({ VK_DRIVER_FILES: "driver.json", CONV_FLOAT16: "1" });
    expect(note).not.toContain("sample");
  });

  test("is none where there is no such driver, which is told", () => {
    expect(inFloat16({ missing: "no driver: not tested" }, readCommandLine([]))).toEqual({
      note: "no driver: not tested",
    });
  });
});
