/** Planning as if a device bound buffers of any size. */
import type { Capabilities } from "./capabilities.js";

/** The capabilities of a device that binds buffers of any size: what a whole would get there. */
export function unbound(capabilities: Capabilities): Capabilities {
  const [maxStorageBufferBindingSize, maxBufferSize] = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  return { ...capabilities, limits: { ...capabilities.limits, maxStorageBufferBindingSize, maxBufferSize } };
}
