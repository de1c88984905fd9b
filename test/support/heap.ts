/** The host's memory, where a test can look at it. */

/** Whether this is Node itself. */
export const IN_NODE = typeof process !== "undefined" && "node" in process.versions && !("Deno" in globalThis);

/** Bytes in use of JavaScript's heap, after a collection, and of the process. In Node alone. */
export async function hostMemory(): Promise<{ readonly heapBytes: number; readonly processBytes: number }> {
  const [v8, vm] = await Promise.all([import("node:v8"), import("node:vm")]);
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc") as () => void;
  collect();
  // What finalizers and native callbacks held goes with the second.
  await new Promise((resume) => setTimeout(resume, 50));
  collect();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, processBytes: rss };
}
