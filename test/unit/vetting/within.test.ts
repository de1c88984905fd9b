/** Waiting ends so long after the last progress. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { within } from "../../../src/vetting/within.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new Promise<object>(() => undefined);

test("a result that comes in time is given", async () => {
  const result = { value: 1 };
  const late = new Promise<object>((resolve) => setTimeout(() => resolve(result), 2900));
  const waiting = within(3000, late, () => 0);
  await vi.advanceTimersByTimeAsync(3000);
  expect(await waiting).toBe(result);
});

test("without progress it ends after that time", async () => {
  let ended = false;
  const waiting = within(3000, never, () => 0).then((got) => {
    ended = true;
    return got;
  });
  await vi.advanceTimersByTimeAsync(2900);
  expect(ended).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(ended).toBe(true);
  expect(await waiting).toBeUndefined();
});

test("progress gives it that time anew", async () => {
  let compiled = 0;
  const compiling = setInterval(() => compiled++, 2000);
  let ended = false;
  void within(3000, never, () => compiled).then(() => (ended = true));
  await vi.advanceTimersByTimeAsync(20_500);
  expect(ended).toBe(false);
  clearInterval(compiling);
  await vi.advanceTimersByTimeAsync(3000);
  expect(ended).toBe(true);
});
