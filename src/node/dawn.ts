/** Dawn's GPU objects in Node, which a page has as `navigator.gpu`: one for the whole process. */
import type { GPU } from "../base/webgpuTypes.js";
import { installSoftwareDriver } from "./softwareDriver.js";

/** Dawn's Node module, as `import("webgpu")` gives it. */
export interface DawnModule {
  readonly create: (options: string[]) => GPU;
  readonly globals: object;
}

/**
 * The objects that `create` made, by function and options. They are the library's only state outside of engines, on purpose. Dawn
 * delivers every callback (a kernel compiled, a buffer mapped, a queue done) from an event loop that points to such an object.
 * Nothing of Dawn's keeps the object alive: neither devices and buffers nor promises that are due. If it were collected before
 * the last of them, the process would crash or hang. Callers hold devices, too, so that moment is unknown. The object stays, at
 * the price of one driver instance. Without work it does not keep the process alive.
 * https://issues.chromium.org/issues/387965810
 */
const kept = new Map<DawnModule["create"], Map<string, GPU[]>>();

/**
 * A GPU object that has an adapter: on the machine's driver, or else on a software driver, which is installed. Where that fails,
 * an object without an adapter.
 */
export async function findGpu(create: DawnModule["create"], options: readonly string[]): Promise<GPU> {
  const known = keptFor(create, JSON.stringify(options));
  for (const gpu of known) if (await hasAdapter(gpu)) return gpu;
  const gpu = create([...options]);
  // A request for an adapter is answered at once and leaves no callback due. An object without an adapter may be collected.
  if ((await hasAdapter(gpu)) || !(await installSoftwareDriver())) {
    known.push(gpu);
    return gpu;
  }
  const onSoftware = create([...options]);
  known.push(onSoftware);
  return onSoftware;
}

/** A request that fails for a reason, such as an unknown adapter's name, counts as none: the request for a device says why. */
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
