/** How long the layer takes, and how often frames are drawn, in words. */
import type { Timing } from "webgpu-conv";
import { significant } from "../../../benchmark/format.js";
import { formatMilliseconds, plural } from "../../format.js";
import { clockWords } from "../deviceSamples.js";

/** Frames that the mean is taken over. */
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

  /** @param now in milliseconds, when the frame was drawn */
  add(time: LayerTime, now: number): void {
    this.#ends.push(now);
    this.#times.push(time);
    if (this.#ends.length > FRAMES) {
      this.#ends.shift();
      this.#times.shift();
    }
  }

  describe(device: string): string {
    const [count, last] = [this.#ends.length, this.#ends[this.#ends.length - 1]];
    const rate = ((count - 1) * 1000) / (last - this.#ends[0]);
    const frames = count > 1 && rate < Infinity ? `${significant(rate)} frames a second, ` : "";
    const mean = count > 1 ? `, a mean of ${plural(count, "frame")}` : "";
    return `${frames}${describeTime(meanTime(this.#times), device)}${mean}`;
  }
}
