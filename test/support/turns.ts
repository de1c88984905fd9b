/**
 * Who runs which of many cases. Compiling takes a software device most of the time: there two platforms take turns, so that each case
 * is run on one of them. Of cases that are alike, whole runs of all platforms take turns, too, by their seeds. A GPU runs all.
 */
import type { Capabilities } from "../../src/planning/capabilities.js";
import { Random } from "./data.js";
import { hash } from "./sample.js";

/** Which half of the cases a run takes, by its seed; undefined where it takes both. */
export const halfOf = (seed: string): number | undefined =>
  seed === "" ? undefined : new Random(hash(`half\n${seed}`)).integer(0, 1);

/** Whether this platform runs case `index`. */
export const isOwn = (index: number, { deviceClass }: Pick<Capabilities, "deviceClass">): boolean =>
  deviceClass !== "software" || index % 2 === (__CONV_VARIANT__ === "plain" ? 0 : 1);

/** Whether this platform runs case `index` in this run: where that is one of all platforms, of two that follow each other on it one. */
export function isInTurn(index: number, capabilities: Pick<Capabilities, "deviceClass">): boolean {
  const half = halfOf(__CONV_HALF__);
  const isTaken = half === undefined || capabilities.deviceClass !== "software" || Math.floor(index / 2) % 2 === half;
  return isOwn(index, capabilities) && isTaken;
}
