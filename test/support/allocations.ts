/** What memory a function takes for bytes. */
import { vi } from "vitest";

/** The lengths of arrays of bytes that are made meanwhile. */
export async function allocations(run: () => Promise<void>): Promise<readonly number[]> {
  const sizes: number[] = [];
  const recording = new Proxy(Uint8Array, {
    construct(constructor, given: [unknown]) {
      if (typeof given[0] === "number") sizes.push(given[0]);
      return Reflect.construct(constructor, given) as object;
    },
  });
  vi.stubGlobal("Uint8Array", recording);
  try {
    await run();
  } finally {
    vi.unstubAllGlobals();
  }
  return sizes;
}
