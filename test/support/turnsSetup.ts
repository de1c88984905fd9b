/** Vitest's set-up of each test file in a whole run of all platforms (vite.config.ts): what is another's turn is skipped, and marked so. */
import { beforeEach, type RunnerTask, type RunnerTestCase } from "vitest";
import type {} from "./sampleSetup.js";
import { turnOf } from "./turns.js";

let indices: ReadonlyMap<RunnerTask, number> | undefined;

const testsIn = (tasks: readonly RunnerTask[]): RunnerTask[] =>
  tasks.flatMap((task) => (task.type === "suite" ? testsIn(task.tasks) : [task]));

beforeEach(({ task, skip }) => {
  const test = task as RunnerTestCase;
  const { tasks, projectName = "" } = test.file;
  indices ??= new Map(testsIn(tasks).map((one, index) => [one, index]));
  const turn = turnOf({ fullName: test.fullName, index: indices.get(test) ?? 0 }, __CONV_TURNS__);
  if (turn === undefined) return;
  // Of a browser's project vitest says the browser, too: "chromium (chromium)".
  task.meta.leftOut = turn === "other run" ? projectName.split(" ")[0] : "run by the other of Node and Chromium";
  skip(`left to the ${turn}`);
});
