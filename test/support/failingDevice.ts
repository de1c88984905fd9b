/** A device that fails where a test says so, in the ways of WebGPU: at once, or by what it makes being invalid. */

export interface Faults {
  /** Whether there is no room for a buffer of so many bytes: asked for each that is made. */
  noRoomFor?: (bytes: number, label: string) => boolean;
  /** Whether `createBuffer` throws instead. */
  throws?: boolean;
  /** Called before each dispatch with its kernel's label; what it throws, the dispatch throws. */
  onDispatch?: (workgroups: readonly number[], label: string) => void;
  /** Called before each submit. */
  onSubmit?: () => void;
  /** Gives the text that is compiled in the place of a kernel's. */
  rewrite?: ((code: string, label: string) => string) | undefined;
}

export interface FailingDevice {
  /** To be handed to an engine in the device's place. */
  readonly device: GPUDevice;
  readonly faults: Faults;
  /** Buffers made, those that were refused too. */
  readonly buffers: () => number;
}

type Replacements<T> = Partial<Readonly<Record<keyof T, unknown>>>;

/** An object whose other properties are the original's own. */
export function replacing<T extends object>(target: T, replaced: Replacements<T>): T {
  return new Proxy(target, {
    get(_, property) {
      if (Object.hasOwn(replaced, property)) return replaced[property as keyof T];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function"
        ? (...parameters: unknown[]): unknown => Reflect.apply(value, target, parameters)
        : value;
    },
  });
}

export function failingDevice(real: GPUDevice): FailingDevice {
  const faults: Faults = {};
  let buffers = 0;
  const createBuffer = (descriptor: GPUBufferDescriptor): GPUBuffer => {
    buffers++;
    if (!faults.noRoomFor?.(descriptor.size, descriptor.label ?? "")) return real.createBuffer(descriptor);
    if (faults.throws) throw new RangeError("no room");
    // For nothing, or beyond any limit: what comes back is invalid, and an error scope says so.
    const invalid = descriptor.mappedAtCreation ? { usage: 0 } : { size: 2 ** 50 };
    return real.createBuffer({ ...descriptor, ...invalid });
  };
  const createCommandEncoder = (encoderDescriptor?: GPUCommandEncoderDescriptor): GPUCommandEncoder => {
    const encoder = real.createCommandEncoder(encoderDescriptor);
    const beginComputePass = (passDescriptor?: GPUComputePassDescriptor): GPUComputePassEncoder => {
      const pass = encoder.beginComputePass(passDescriptor);
      let label = "";
      const setPipeline = (pipeline: GPUComputePipeline): void => {
        ({ label } = pipeline);
        pass.setPipeline(pipeline);
      };
      const dispatchWorkgroups = (x: number, y = 1, z = 1): void => {
        faults.onDispatch?.([x, y, z], label);
        pass.dispatchWorkgroups(x, y, z);
      };
      return replacing(pass, { setPipeline, dispatchWorkgroups });
    };
    return replacing(encoder, { beginComputePass });
  };
  const submit = (commands: readonly GPUCommandBuffer[]): void => {
    faults.onSubmit?.();
    real.queue.submit([...commands]);
  };
  const createShaderModule = ({ code, ...descriptor }: GPUShaderModuleDescriptor): GPUShaderModule =>
    real.createShaderModule({ ...descriptor, code: faults.rewrite?.(code, descriptor.label ?? "") ?? code });
  const queue = replacing(real.queue, { submit });
  const device = replacing(real, { createBuffer, createCommandEncoder, createShaderModule, queue });
  return { device, faults, buffers: () => buffers };
}
