/** Counts what engines ask of WebGPU, all alike: by functions around those of the device's prototypes. */

interface Memory {
  /** Bytes of buffers that were created and not destroyed. */
  live: number;
  /** Most of them since the count began anew, and those there were then. */
  peak: number;
  before: number;
  count: number;
}

const memories = new WeakMap<GPUDevice, Memory>();
/** Which count this is. */
let count = 0;

/** Before engines open their devices. Peaks begin anew with each call, also of devices that are there. */
export function countMemory(): void {
  count++;
  if (count > 1) return;
  const owners = new WeakMap<GPUBuffer, { readonly memory: Memory; readonly size: number }>();
  around(GPUDevice.prototype, "createBuffer", (device, create, [descriptor]) => {
    const buffer = create(descriptor);
    const memory = memoryOf(device);
    const { size } = descriptor;
    memory.live += size;
    memory.peak = Math.max(memory.peak, memory.live);
    owners.set(buffer, { memory, size });
    return buffer;
  });
  around(GPUBuffer.prototype, "destroy", (buffer, destroy) => {
    const owner = owners.get(buffer);
    // Those of a device that is gone went with it.
    if (owner) owner.memory.live = Math.max(0, owner.memory.live - owner.size);
    owners.delete(buffer);
    destroy();
    return undefined;
  });
  around(GPUDevice.prototype, "destroy", (device, destroy) => {
    // All its buffers go with it.
    memoryOf(device).live = 0;
    destroy();
    return undefined;
  });
}

/** Most bytes of a device's buffers at a time since the count began, beyond those that were there. */
export function peakOf(device: GPUDevice): number {
  const { peak, before } = memoryOf(device);
  return peak - before;
}

/** Bytes of a device's buffers that are there now. */
export const liveOf = (device: GPUDevice): number => memoryOf(device).live;

function memoryOf(device: GPUDevice): Memory {
  const known = memories.get(device) ?? { live: 0, peak: 0, before: 0, count };
  if (known.count !== count) Object.assign(known, { peak: known.live, before: known.live, count });
  memories.set(device, known);
  return known;
}

/** Dispatches of all devices while `work` runs, by the kernels' labels. */
export async function countDispatches(work: () => Promise<unknown>): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const labels = new WeakMap<GPUComputePassEncoder, string>();
  const restore = [
    around(GPUComputePassEncoder.prototype, "setPipeline", (pass, set, [pipeline]) => {
      labels.set(pass, pipeline.label);
      set(pipeline);
      return undefined;
    }),
    around(GPUComputePassEncoder.prototype, "dispatchWorkgroups", (pass, dispatch, counted) => {
      const label = labels.get(pass) ?? "";
      counts.set(label, (counts.get(label) ?? 0) + 1);
      dispatch(...counted);
      return undefined;
    }),
  ];
  try {
    await work();
  } finally {
    for (const undo of restore) undo();
  }
  return counts;
}

export interface Submissions {
  /** From the making of an encoder to the call of `submit`. */
  encodeMs: number;
  submitMs: number;
}

/** Adds up what encoding and submitting take, until it is restored. */
export function timeSubmissions(sums: Submissions): () => void {
  let begun = 0;
  const restore = [
    around(GPUDevice.prototype, "createCommandEncoder", (_device, create, parameters) => {
      begun = performance.now();
      return create(...parameters);
    }),
    around(GPUQueue.prototype, "submit", (_queue, submit, parameters) => {
      const start = performance.now();
      submit(...parameters);
      sums.encodeMs += start - begun;
      sums.submitMs += performance.now() - start;
      return undefined;
    }),
  ];
  return () => {
    for (const undo of restore) undo();
  };
}

type Method = (...parameters: never[]) => unknown;
type MethodsOf<Owner> = { [Key in keyof Owner as Owner[Key] extends Method ? Key : never]: Owner[Key] };

/** Puts a function in a method's place, until the result is called. */
function around<Owner extends object, Name extends keyof MethodsOf<Owner>>(
  prototype: Owner,
  name: Name,
  replacement: (
    owner: Owner,
    method: MethodsOf<Owner>[Name],
    parameters: Parameters<Extract<MethodsOf<Owner>[Name], Method>>,
  ) => ReturnType<Extract<MethodsOf<Owner>[Name], Method>>,
): () => void {
  const methods = prototype as unknown as Record<Name, Method>;
  const original = methods[name];
  methods[name] = function (this: Owner, ...parameters: Parameters<Extract<MethodsOf<Owner>[Name], Method>>) {
    const method = original.bind(this) as unknown as MethodsOf<Owner>[Name];
    return replacement(this, method, parameters);
  };
  return () => {
    methods[name] = original;
  };
}
