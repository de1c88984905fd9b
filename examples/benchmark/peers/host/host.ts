/** Where the engines run: a page of a browser, or this process. */
import type { Opened, Task } from "../bench.js";
import type { Device } from "../commandLine.js";
import type { Row } from "../row.js";
import type { TrainingTask } from "../training/measure.js";
import type { TrainingRow } from "../training/row.js";

export interface Host {
  /** In words, with versions. */
  readonly platform: string;
  readonly opened: Opened;
  /** Rejects where the host itself broke: then it is of no use any more. */
  measure(task: Task): Promise<Row[]>;
  /** Likewise. Of a host that has just been opened. */
  train(task: TrainingTask): Promise<TrainingRow[]>;
  close(): Promise<void>;
}

export async function openHost(device: Device, tune: boolean): Promise<Host> {
  if (device === "lavapipe") return await (await import("./dawn.js")).openLavapipe(tune);
  return await (await import("./browser.js")).openBrowser(device, tune);
}
