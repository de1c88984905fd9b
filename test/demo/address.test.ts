/** The address and the place that is shown, each following the other: without a browser, by a clock of the test's own. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Part } from "../../examples/demo/parts/part.js";
import { integer } from "../../examples/demo/settings/schema.js";
import { Address, type Place } from "../../examples/demo/shell/address.js";

const partOf = (id: string): Part => ({
  id,
  name: id,
  title: id,
  summary: id,
  schema: { F: integer(3, [1, 9]) },
  load: async () => await Promise.reject(new Error("not shown here")),
});
const one = partOf("one");
const two = partOf("two");

/** Far longer than the page waits before it writes. */
const LONG = 60_000;

/** A browser's address, and what the page makes of it. */
function open(hash: string) {
  const bar = {
    hash,
    written: [] as string[],
    replace: (next: string): void => {
      bar.hash = next;
      bar.written.push(next);
    },
  };
  const moves: Place[] = [];
  const address = new Address([one, two], bar, (place) => moves.push(place));
  address.writeSoon();
  return { bar, moves, address };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the address", () => {
  test("follows what is changed, once in a while", () => {
    const { bar, address } = open("#one");
    for (let F = 4; F <= 9; F++) address.change(one, { F });
    expect(bar.written).toEqual([]);
    vi.advanceTimersByTime(LONG);
    expect(bar.written).toEqual(["#one?F=9"]);
  });

  test("where there is none, is left so until something changes", () => {
    const { bar, address } = open("");
    vi.advanceTimersByTime(LONG);
    expect(bar.written).toEqual([]);
    address.change(one, { F: 4 });
    vi.advanceTimersByTime(LONG);
    expect(bar.hash).toBe("#one?F=4");
  });

  test("says what is shown where it named nothing that there is", () => {
    const { bar } = open("#nowhere?F=5");
    vi.advanceTimersByTime(LONG);
    expect(bar.hash).toBe("#one?F=5");
  });

  // A browser changes the address at a click, and tells the page later: a timer may come in between.
  test.each(["timer", "leaving"])("that the visitor has just chosen is not written over by a %s", (by) => {
    const { bar, moves, address } = open("#one");
    if (by === "leaving") address.change(one, { F: 5 });
    bar.hash = "#two?F=7";
    if (by === "timer") vi.advanceTimersByTime(LONG);
    else address.write();
    expect(bar.written).toEqual([]);
    address.follow();
    expect(address.place).toMatchObject({ part: two, settings: { F: 7 } });
    expect(moves.at(-1)?.part).toBe(two);
    vi.advanceTimersByTime(LONG);
    expect(bar.hash).toBe("#two?F=7");
  });

  test("is the new place's as soon as the page follows", () => {
    const { bar, address } = open("#one");
    address.change(one, { F: 5 });
    bar.hash = "#two";
    address.follow();
    vi.advanceTimersByTime(LONG);
    expect(bar.written).toEqual([]);
    expect(bar.hash).toBe("#two");
    expect(address.hashOf(one)).toBe("#one?F=5");
  });

  test("has the last change before the visitor leaves by a link", () => {
    const { bar, address } = open("#one");
    address.change(one, { F: 5 });
    // At the click, before the browser goes.
    address.write();
    expect(bar.hash).toBe("#one?F=5");
  });
});

describe("settings", () => {
  test("changed after their part was left are that part's, not the next one's", () => {
    const { bar, address } = open("#one");
    bar.hash = "#two?F=7";
    address.follow();
    address.change(one, { F: 5 });
    expect(address.place).toMatchObject({ part: two, settings: { F: 7 } });
    expect(address.hashOf(one)).toBe("#one?F=5");
  });

  test("that one change after another makes are all kept", () => {
    const { address } = open("#two?backend=cpu");
    address.change(two, { F: 5 });
    address.changeBackend("webgpu");
    address.change(two, {});
    expect(address.place).toMatchObject({ settings: { F: 5 }, backend: "webgpu" });
    expect(address.hashOf(address.place.part)).toBe("#two?F=5");
  });
});
