/** Whether work failed because its device is gone, which the page tells the visitor itself. */
import type { Engine } from "webgpu-conv";

/** How long a loss may take to be known after the work that it broke. */
const LOSS_MS = 300;

export async function wasLost(engine: Engine): Promise<boolean> {
  const { device } = engine;
  if (!device) return false;
  const waited = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), LOSS_MS));
  return await Promise.race([device.lost.then(() => true), waited]);
}
