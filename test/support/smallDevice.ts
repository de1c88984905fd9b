/** A device that reports low limits, and notes what goes beyond them. */
/** Limits by name. */
export type LowLimits = Partial<
  Record<Exclude<keyof GPUSupportedLimits, "__brand" | typeof Symbol.toStringTag>, number>
>;

/** Those of the promise: devices that hold little at a time. */
export const LOW_LIMITS = {
  maxStorageBufferBindingSize: 2 ** 20,
  maxComputeWorkgroupStorageSize: 2 ** 14,
  maxComputeWorkgroupsPerDimension: 64,
  maxStorageBuffersPerShaderStage: 4,
} as const satisfies LowLimits;

export interface SmallDevice {
  /** To be handed to an engine in the device's place. */
  readonly device: GPUDevice;
  /** What went beyond the limits, in words. */
  readonly violations: string[];
}

/** `target` with some of its properties replaced. Methods are called on the target itself. */
function replace<T extends object>(target: T, replaced: Readonly<Record<string, unknown>>): T {
  return new Proxy(target, {
    get(_, property) {
      const name = String(property);
      if (Object.hasOwn(replaced, name)) return replaced[name];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function"
        ? (...given: unknown[]): unknown => Reflect.apply(value, target, given)
        : value;
    },
    set: (_, property, value) => Reflect.set(target, property, value, target),
  });
}

/** Wraps a device, which keeps its own limits where none is given. */
export function withLimits(device: GPUDevice, low: LowLimits): SmallDevice {
  const violations: string[] = [];
  const limits = replace(device.limits, low);
  const require = (sound: boolean, what: () => string): void => {
    if (!sound) violations.push(what());
  };
  const wrapPass = (pass: GPUComputePassEncoder): GPUComputePassEncoder =>
    replace(pass, {
      dispatchWorkgroups: (x: number, y = 1, z = 1) => {
        const most = limits.maxComputeWorkgroupsPerDimension;
        require(Math.max(x, y, z) <= most, () => `a dispatch of ${[x, y, z].join(" x ")} workgroups`);
        pass.dispatchWorkgroups(x, y, z);
      },
    });
  const wrapEncoder = (encoder: GPUCommandEncoder): GPUCommandEncoder =>
    replace(encoder, {
      beginComputePass: (descriptor?: GPUComputePassDescriptor) => wrapPass(encoder.beginComputePass(descriptor)),
    });
  const wrapped = replace(device, {
    limits,
    createCommandEncoder: (descriptor?: GPUCommandEncoderDescriptor) =>
      wrapEncoder(device.createCommandEncoder(descriptor)),
    createBindGroup: (descriptor: GPUBindGroupDescriptor) => {
      for (const { resource } of descriptor.entries) {
        if (!("buffer" in resource)) continue;
        const { buffer, offset = 0, size = buffer.size - offset } = resource;
        require(size <= limits.maxStorageBufferBindingSize, () => `a binding of ${String(size)} bytes`);
      }
      return device.createBindGroup(descriptor);
    },
    createBindGroupLayout: (descriptor: GPUBindGroupLayoutDescriptor) => {
      const count = [...descriptor.entries].filter(({ buffer }) => buffer?.type !== "uniform").length;
      const most = limits.maxStorageBuffersPerShaderStage;
      require(count <= most, () => `${String(count)} storage buffers in ${descriptor.label ?? ""}`);
      return device.createBindGroupLayout(descriptor);
    },
  });
  return { device: wrapped, violations };
}
