/** Bundlers for browsers take this in place of `webgpu-conv/node`, whose modules a page lacks. It names the entry to import. */
import type { Engine } from "./api/engine.js";
import { DeviceError } from "./base/errors.js";

// The local createEngine below takes the place of the page's.
export * from "./index.js";

/** @throws DeviceError always. */
export async function createEngine(): Promise<Engine> {
  return await Promise.reject(new DeviceError('This is no Node: import { createEngine } from "webgpu-conv".'));
}

/** @throws DeviceError always. */
export function fileStore(): never {
  throw new DeviceError("A page has no files: take indexedDbStore() of webgpu-conv.");
}
