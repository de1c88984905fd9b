/** A device that counts the calls made of it and of its queue. */

export interface CountingDevice {
  /** To be handed to an engine in the device's place. */
  readonly device: GPUDevice;
  /** Calls by name since made or last cleared; the queue's as `queue.submit`. */
  readonly calls: Map<string, number>;
}

/** Wraps a device. Properties and results are the device's own. */
export function countCalls(device: GPUDevice): CountingDevice {
  const calls = new Map<string, number>();
  const wrap = <T extends object>(target: T, prefix: string, replaced: Readonly<Record<string, unknown>>): T =>
    new Proxy(target, {
      get(_, property) {
        const name = String(property);
        if (Object.hasOwn(replaced, name)) return replaced[name];
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        return (...parameters: unknown[]): unknown => {
          calls.set(prefix + name, (calls.get(prefix + name) ?? 0) + 1);
          return Reflect.apply(value, target, parameters);
        };
      },
    });
  return { device: wrap(device, "", { queue: wrap(device.queue, "queue.", {}) }), calls };
}
