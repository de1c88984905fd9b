/** How far long work is: a bar on a terminal, a line for each tenth elsewhere. Nothing where the work is done at once. */
import type { Progress } from "webgpu-conv";

/** Where it is written. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const WIDTH = 40;

/** @returns to be told how far the work is, up to its end */
export function progressBar(label: string, output: Output = process.stderr): (progress: Progress) => void {
  let shown: number | undefined;
  return ({ done, total }) => {
    const step = output.isTTY === true ? WIDTH : 10;
    const now = Math.floor((step * done) / total);
    // Work that is short has no middle.
    if (now === shown || (shown === undefined && (done === 0 || done === total))) return;
    shown = now;
    const percent = `${String(Math.floor((100 * done) / total)).padStart(3)} %`;
    if (output.isTTY !== true) output.write(`${label} ${percent}\n`);
    else output.write(`\r${label} [${"#".repeat(now).padEnd(WIDTH)}] ${percent}${done === total ? "\n" : ""}`);
  };
}
