/** Dawn's GPU objects in Node, which a page has as `navigator.gpu`: one for the whole process. */
import type { GPU } from "../base/webgpuTypes.js";
import { installSoftwareDriver } from "./softwareDriver.js";

/** Dawn's Node module, as `import("webgpu")` gives it. */
export interface DawnModule {
  readonly create: (options: string[]) => GPU;
  readonly globals: object;
}

/**
 * What was created, by function and options: the library's only state outside of engines, and there on purpose. Dawn delivers
 * every callback (a kernel compiled, a buffer mapped, a queue done) from an event loop that points to the object that
 * `create` gave, and that nothing of Dawn's keeps alive: neither devices and buffers nor promises that are due. Were it
 * collected before the last of them, the process would crash or hang. When that is cannot be known, since devices are also
 * in callers' hands; so it stays, at the price of one driver instance. Without work it does not keep the process alive.
 * https://issues.chromium.org/issues/387965810
 */
const kept = new Map<DawnModule["create"], Map<string, GPU[]>>();

/**
 * A GPU object that has an adapter: on the machine's driver, or on a software driver that is installed where there is none.
 * Where that fails too, one that has none.
 */
export async function findGpu(create: DawnModule["create"], options: readonly string[]): Promise<GPU> {
  const known = keptFor(create, JSON.stringify(options));
  for (const gpu of known) if (await hasAdapter(gpu)) return gpu;
  const gpu = create([...options]);
  // A question for an adapter is answered at once, and leaves no callback due: what has none may go.
  if ((await hasAdapter(gpu)) || !(await installSoftwareDriver())) {
    known.push(gpu);
    return gpu;
  }
  const onSoftware = create([...options]);
  known.push(onSoftware);
  return onSoftware;
}

/** Without one for a reason, such as a name that no adapter has, it is for who wants a device to be told. */
const hasAdapter = async (gpu: GPU): Promise<boolean> => {
  return await gpu.requestAdapter().then(Boolean, () => false);
};

function keptFor(create: DawnModule["create"], options: string): GPU[] {
  const ofModule = kept.get(create) ?? new Map<string, GPU[]>();
  kept.set(create, ofModule);
  const known = ofModule.get(options) ?? [];
  ofModule.set(options, known);
  return known;
}
