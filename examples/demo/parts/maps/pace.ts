/** How long the layer takes, and how often frames are drawn, in words. */
import type { Timing } from "webgpu-conv";
import { significant } from "../../../benchmark/format.js";
import { formatMilliseconds, plural } from "../../format.js";
import { clockWords } from "../deviceSamples.js";

/** Frames that the mean and the rate are taken over. */
const FRAMES = 20;

export type LayerTime = Pick<Timing, "milliseconds" | "clock">;

/** The layer's mean time. Frames that the device's clock saw nothing of are timed by the wall clock, and took nothing by it. */
export function meanTime(times: readonly LayerTime[]): LayerTime {
  const clock = times.some((time) => time.clock === "timestamp") ? "timestamp" : "wall-clock";
  const sum = times.reduce((total, time) => total + (time.clock === clock ? time.milliseconds : 0), 0);
  return { milliseconds: sum / times.length, clock };
}

export const describeTime = ({ milliseconds, clock }: LayerTime, device: string): string =>
  `${formatMilliseconds(milliseconds)} for the layer on ${device}, by ${clockWords(clock)}`;

/** The pace of frames, one after the other. */
export class Pace {
  readonly #ends: number[] = [];
  readonly #times: LayerTime[] = [];

  /**
   * @param time of the layer; undefined where the frame was not timed; the first one is
   * @param now in milliseconds, when the frame was drawn
   */
  add(time: LayerTime | undefined, now: number): void {
    this.#ends.push(now);
    if (time) this.#times.push(time);
    for (const kept of [this.#ends, this.#times]) if (kept.length > FRAMES) kept.shift();
  }

  describe(device: string): string {
    const [count, last] = [this.#ends.length, this.#ends[this.#ends.length - 1]];
    const rate = ((count - 1) * 1000) / (last - this.#ends[0]);
    const frames = count > 1 && rate < Infinity ? `${significant(rate)} frames a second, ` : "";
    const timed = this.#times.length;
    const mean = timed > 1 ? `, a mean of ${plural(timed, "frame")}` : "";
    return `${frames}${describeTime(meanTime(this.#times), device)}${mean}`;
  }
}
