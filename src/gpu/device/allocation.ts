/**
 * Buffers from the device, and whether it had the memory for them. WebGPU returns a buffer at once and tells later whether it
 * is valid. Until then the buffer is "arriving", and work that uses it waits. Where the device had no room, unused memory is
 * given back and the buffer is made once more. If that fails too, it is an error.
 */
import { DeviceError } from "../../base/errors.js";

/** A buffer that may still be arriving. */
export interface Allocation {
  /** Another one where it was made once more: bind it only once it has arrived. */
  buffer: GPUBuffer;
  /** Resolves, never rejects, once the device has said whether there was room; undefined from then on. */
  arriving: Promise<void> | undefined;
  /** Why there is no such buffer. The buffer must then never be used. */
  error: DeviceError | undefined;
}

export class Allocator {
  readonly #device: GPUDevice;
  readonly #arriving = new Set<Promise<void>>();
  #makeRoom: () => void = () => undefined;
  #failures = 0;
  #disposed = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** How many buffers the device had no room for. */
  get failures(): number {
    return this.#failures;
  }

  /** Gives unused memory back, before a buffer is made once more. */
  set makeRoom(makeRoom: () => void) {
    this.#makeRoom = makeRoom;
  }

  /** From here on no buffer is made once more. */
  dispose(): void {
    this.#disposed = true;
  }

  /**
   * Makes a buffer.
   *
   * @param finish called once it has arrived or failed
   * @throws DeviceError where the device refuses at once, and again after memory was given back.
   */
  allocate<Target extends object>(
    target: Target,
    descriptor: GPUBufferDescriptor,
    finish?: (made: Target & Allocation) => void,
  ): Target & Allocation {
    const { buffer, refusal } = this.#makeNow(descriptor);
    const made: Target & Allocation = Object.assign(target, { buffer, arriving: undefined, error: undefined });
    const arriving = this.#settle(made, descriptor, refusal).then(() => {
      this.#arriving.delete(arriving);
      made.arriving = undefined;
      finish?.(made);
    });
    made.arriving = arriving;
    this.#arriving.add(arriving);
    return made;
  }

  /** Resolves once every buffer has arrived or failed; undefined where none is arriving. */
  arrived(): Promise<void> | undefined {
    if (this.#arriving.size === 0) return undefined;
    return Promise.all(this.#arriving).then(() => undefined);
  }

  async #settle(made: Allocation, descriptor: GPUBufferDescriptor, refusal: Made["refusal"]): Promise<void> {
    if ((await refusal) === undefined || this.#disposed) return;
    made.buffer.destroy();
    this.#makeRoom();
    const reason = await this.#makeAgain(made, descriptor);
    if (reason === undefined) return;
    this.#failures++;
    made.error = outOfMemory(descriptor, reason);
  }

  /** Returns why the second attempt failed; undefined where it succeeded. */
  async #makeAgain(made: Allocation, descriptor: GPUBufferDescriptor): Promise<string | undefined> {
    try {
      const again = this.#make(descriptor);
      made.buffer = again.buffer;
      const reason = await again.refusal;
      if (reason !== undefined) again.buffer.destroy();
      return reason;
    } catch (error) {
      return String(error);
    }
  }

  #makeNow(descriptor: GPUBufferDescriptor): Made {
    try {
      return this.#make(descriptor);
    } catch {
      this.#makeRoom();
    }
    try {
      return this.#make(descriptor);
    } catch (error) {
      throw outOfMemory(descriptor, String(error), error);
    }
  }

  #make(descriptor: GPUBufferDescriptor): Made {
    const device = this.#device;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    let buffer: GPUBuffer | undefined;
    try {
      buffer = device.createBuffer(descriptor);
      return { buffer, refusal: popReason(device, 2) };
    } finally {
      if (!buffer) void popReason(device, 2);
    }
  }
}

interface Made {
  readonly buffer: GPUBuffer;
  /** Why the buffer is invalid; undefined if it is valid. Never rejects. */
  readonly refusal: Promise<string | undefined>;
}

function outOfMemory({ size }: GPUBufferDescriptor, reason: string, cause?: unknown): DeviceError {
  const bytes = size.toLocaleString("en");
  return new DeviceError(`out of memory: the device has no room for a buffer of ${bytes} bytes: ${reason}`, { cause });
}

/** Pops error scopes. Resolves to the first error that they caught, or undefined. Never rejects. */
export async function popReason(device: GPUDevice, scopes = 1): Promise<string | undefined> {
  const popped: Promise<GPUError | null>[] = [];
  for (let i = 0; i < scopes; i++) popped.push(device.popErrorScope());
  // A lost device is reported elsewhere.
  const errors = await Promise.all(popped.map((scope) => scope.catch(() => null)));
  return errors.find((error) => error !== null)?.message;
}
