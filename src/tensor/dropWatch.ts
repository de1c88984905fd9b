/** Warns of tensors that were dropped and not disposed of. `createEngine({ development: true })` loads it. */
import type { Hold } from "./hold.js";

const MOST_PLACES = 3;
const MOST_FRAMES = 40;

export class DropWatch {
  readonly #warn: (message: string) => void;
  readonly #dropped: Hold[] = [];
  #warned = false;

  /** @param warn called once, about tensors that were dropped and where they were made */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /** The stack, deep enough for the caller's frames: V8 gives ten by default, and a call of the library may take more. */
  stackHere(): string | undefined {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = MOST_FRAMES;
    const { stack } = new Error();
    Error.stackTraceLimit = stackTraceLimit;
    return stack;
  }

  /** Notes a hold whose tensor was collected. */
  onDropped(hold: Hold): void {
    // One warning for all that are collected at once.
    if (!this.#warned && this.#dropped.push(hold) === 1) queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    this.#warned = true;
    const places = new Map<string, number>();
    for (const { shape, stack } of this.#dropped) {
      const place = `[${shape.join(", ")}] ${placeOf(stack ?? "")}`;
      places.set(place, (places.get(place) ?? 0) + 1);
    }
    const most = [...places].sort(([, one], [, other]) => other - one).slice(0, MOST_PLACES);
    const count = this.#dropped.length;
    this.#warn(
      `${count === 1 ? "a tensor was" : `${String(count)} tensors were`} never disposed of; the memory came back when the ` +
        "garbage was collected, which does not know how much it is. Declare them with using, call dispose(), or compute " +
        `within engine.scope(). Made: ${most.map(([place, times]) => `${String(times)} of shape ${place}`).join("; ")}`,
    );
    this.#dropped.length = 0;
  }
}

/** The first place of a stack outside the library. The innermost frame is the library's own, in dist/ or in src/tensor/. */
function placeOf(stack: string): string {
  const frames = stack.split("\n").filter((line) => /:\d+:\d+/.test(line));
  const folderOf = (frame: string): string => /[^\s(@]*[\\/]/.exec(frame.replace(/^.*?@/, ""))?.[0] ?? frame;
  const own = frames.length > 0 ? folderOf(frames[0]).replace(/(src[\\/])tensor[\\/]$/, "$1") : "";
  const outside = frames.find((frame) => !folderOf(frame).startsWith(own)) ?? frames.at(-1);
  return (outside ?? "at a place that the runtime does not tell").trim();
}
