/** Vitest's set-up of each test file in a run that takes a sample (vite.config.ts): what is not in the sample is skipped, and marked so. */
import { beforeEach, type RunnerTestCase, type RunnerTestSuite } from "vitest";
import { mostOf, sampleOf, takesGroup } from "./sample.js";

declare module "vitest" {
  interface TaskMeta {
    /** The project in which the short run left the test out. */
    leftOut?: string;
  }
}

const samples = new Map<RunnerTestSuite, ReadonlySet<RunnerTestCase>>();

/** The tests of the group that are run, of those whose names speak of what the platform is tested for. Those that are skipped take no place. */
function sampleIn(group: RunnerTestSuite): ReadonlySet<RunnerTestCase> {
  const known = samples.get(group);
  if (known) return known;
  const { projectName = "", name: file } = group.file;
  const tests = group.tasks.filter((task): task is RunnerTestCase => task.type === "test" && task.mode !== "skip");
  const candidates = tests.filter(({ fullName }) => fullName.includes(__CONV_ABOUT__));
  const key = [__CONV_SAMPLE__, projectName, file, group.fullName].join("\n");
  const most = takesGroup(__CONV_ONE_GROUP_IN__, key) ? mostOf(file) : 0;
  const sample = sampleOf(candidates, file === __CONV_WHOLE_FILE__ ? tests.length : most, key);
  samples.set(group, sample);
  return sample;
}

beforeEach(({ task, skip }) => {
  const test = task as RunnerTestCase;
  if (sampleIn(test.suite ?? test.file).has(test)) return;
  // Of a browser's project vitest says the browser, too: "chromium (chromium)".
  task.meta.leftOut = (test.file.projectName ?? "").split(" ")[0];
  skip("left out of the short run");
});
