import { expect } from "vitest";
import { gpuTest } from "../support/gpuTest.js";

gpuTest("adds up a row of ones", async ({ engine }) => {
  using x = engine.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);
  using w = engine.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);
  using y = engine.conv2d(x, w, { padding: 1 });
  expect([...(await y.data())]).toEqual([4, 6, 4, 6, 9, 6, 4, 6, 4]);
});
