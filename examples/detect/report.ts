/** What the command tells, in words and tables. */
import { LEAST_OVERLAP, type LinesCheck } from "./checkLines.js";
import { type Difference, MOST_RELATIVE } from "./difference.js";
import type { Detection } from "./detector.js";
import type { TextBox } from "./findBoxes.js";
import type { RuntimeResult } from "./onnxRuntime.js";

const ms = (milliseconds: number): string => `${Math.round(milliseconds).toLocaleString("en")} ms`;

export function timesWords({ times, dispatches }: Detection): string {
  const { load, compile, firstRun, compileAgain, warmRun } = times;
  const row = (name: string, cold: string, warm: string, what: string): string =>
    `${name.padEnd(9)}${cold.padStart(10)}  ${warm.padStart(10)}  ${what}`.trimEnd();
  return [
    row("time", "cold", "warm", ""),
    row("  load", ms(load), "", "the file is read, its weights go to the device"),
    row("  compile", ms(compile), ms(compileAgain), "the network is recorded; at first kernels are compiled and tried"),
    row("  run", ms(firstRun), ms(warmRun), `${String(dispatches)} dispatches, and the map is read; warm: a median`),
    row("  all", ms(load + compile + firstRun), "", "to the first result"),
  ].join("\n");
}

export function boxTable(boxes: readonly TextBox[]): string {
  if (boxes.length === 0) return "no text";
  const rows = boxes.map(({ left, top, right, bottom, score }, i) =>
    [i + 1, left, top, right - left, bottom - top, score.toFixed(3)].map((cell) => String(cell).padStart(6)).join("  "),
  );
  return [["box", "left", "top", "width", "height", "score"].map((cell) => cell.padStart(6)).join("  "), ...rows].join(
    "\n",
  );
}

export function linesWords({ lines, strays, pass }: LinesCheck): string {
  const rows = lines.map(({ line, overlap, isFound }) => {
    const height = line.box.bottom - line.box.top;
    return `  ${overlap.toFixed(3)}  ${isFound ? "found" : "NOT FOUND"}  "${line.text}", ${String(height)} pixels high`;
  });
  const found = lines.filter(({ isFound }) => isFound).length;
  return [
    `lines    intersection over union with the best box, at least ${String(LEAST_OVERLAP)} where a line is found`,
    ...rows,
    `         ${String(found)} of ${String(lines.length)} found, ${String(strays.length)} boxes beside them: ${pass ? "pass" : "FAIL"}`,
  ].join("\n");
}

export function differenceWords({ absolute, relative }: Difference, { firstRun, warmRun }: RuntimeResult): string {
  return (
    `compared with onnxruntime-web (wasm; ${ms(firstRun)}, then ${ms(warmRun)}): largest difference ${absolute.toExponential(2)}, ` +
    `${relative.toExponential(2)} of the largest value; at most ${String(MOST_RELATIVE)}: ` +
    (relative <= MOST_RELATIVE ? "pass" : "FAIL")
  );
}
