/** Errors of a device that can no longer be used. */
import { DeviceError } from "../../base/errors.js";

export const disposedError = (): DeviceError => new DeviceError("the engine was disposed; expected a live engine");

export const deviceFailed = (cause: unknown): DeviceError =>
  new DeviceError(`the device failed: ${String(cause)}`, { cause });

/** Whether the platform threw it. Checked by name, since Dawn and Deno have classes of their own. */
export function isPlatformError(error: unknown): boolean {
  return error instanceof Error && ["AbortError", "OperationError", "GPUPipelineError"].includes(error.name);
}
