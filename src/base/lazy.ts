/** Code that a page loads when it is first needed. */
import { DeviceError, textOf } from "./errors.js";

/**
 * The result of `load`, a dynamic import. Where that fails (offline, or a policy against it) it rejects with a DeviceError.
 * The next call asks again.
 *
 * @param what is loaded, in words
 */
export async function loadLazily<Loaded>(what: string, load: () => Promise<Loaded>): Promise<Loaded> {
  try {
    return await load();
  } catch (cause) {
    throw new DeviceError(`${what} did not load: ${textOf(cause)}`, { cause });
  }
}
