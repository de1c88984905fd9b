/** Storage buffers by size class. A released buffer serves the next request of its class. */
import { type Allocation, Allocator } from "./allocation.js";

/** Waste from rounding a size up to its class is below one part in this many. */
const STEPS_PER_DOUBLING = 8;
const SMALLEST_BYTES = 256;

/** Storage for tensors and workspace. */
export interface PooledBuffer extends Allocation {
  readonly id: number | string;
  /** Where in the buffer it begins: 0, except in a caller's buffer. */
  readonly offset: number;
  /** Bytes of the size class; in a caller's buffer the bytes that the tensor needs. */
  readonly bytes: number;
  /** Whether the buffer is a caller's. The pool neither keeps nor destroys it. */
  readonly borrowed: boolean;
  /** Called once, when the buffer is destroyed or forgotten: bind groups on it must go. */
  readonly onDestroy: Set<() => void>;
  /** Values that the host writes as soon as the buffer has arrived. */
  pendingWrite: BufferSource | undefined;
}

/** Bytes of the size class that holds `bytes`: a multiple of 256, larger by at most an eighth or 256 bytes. */
export function sizeClass(bytes: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(bytes, SMALLEST_BYTES)));
  const step = Math.max(SMALLEST_BYTES, power / 2 / STEPS_PER_DOUBLING);
  return Math.max(SMALLEST_BYTES, Math.ceil(bytes / step) * step);
}

/** A part of a buffer. Where the buffer is made once more, the part is of that one. */
export function viewOf(pooled: PooledBuffer, offset: number, bytes: number): PooledBuffer {
  const place = pooled.offset + offset;
  return Object.create(pooled, {
    id: { value: `${String(pooled.id)}@${String(place)}+${String(bytes)}` },
    offset: { value: place },
    bytes: { value: bytes },
  }) as PooledBuffer;
}

/** Takes a buffer of that size, or else the smallest of those up to `most` that holds it; undefined where there is none. */
export function takeSmallest(
  free: ReadonlyMap<number, PooledBuffer[]>,
  bytes: number,
  most = bytes,
): PooledBuffer | undefined {
  const exact = free.get(bytes)?.pop();
  if (exact || most <= bytes) return exact;
  const larger = [...free].filter(([size, { length }]) => length > 0 && size > bytes && size <= most);
  return free.get(Math.min(...larger.map(([size]) => size)))?.pop();
}

export class BufferPool {
  readonly allocator: Allocator;
  readonly #device: GPUDevice;
  readonly #capBytes: number;
  readonly #free = new Map<number, PooledBuffer[]>();
  readonly #all = new Set<PooledBuffer>();
  #nextId = 1;
  #liveBytes = 0;
  #pooledBytes = 0;

  /** @param capBytes how much unused memory is kept; what is released beyond it is destroyed */
  constructor(device: GPUDevice, capBytes: number) {
    this.#device = device;
    this.#capBytes = capBytes;
    this.allocator = new Allocator(device);
    this.allocator.makeRoom = () => this.trim();
  }

  /** Bytes handed out and not given back. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Bytes waiting to be used again. */
  get pooledBytes(): number {
    return this.#pooledBytes;
  }

  /** Bytes of the buffer that serves a request for `bytes`. */
  classBytes(bytes: number): number {
    return Math.min(sizeClass(bytes), Math.max(bytes, this.#device.limits.maxStorageBufferBindingSize));
  }

  /**
   * @param most bytes that the buffer may have, where a larger one waits; those of its class when absent
   * @throws DeviceError where the device refuses at once. A later refusal is the buffer's `error`.
   */
  acquire(bytes: number, most?: number): PooledBuffer {
    const classBytes = this.classBytes(bytes);
    const waiting = takeSmallest(this.#free, classBytes, most);
    if (waiting) {
      this.#liveBytes += waiting.bytes;
      this.#pooledBytes -= waiting.bytes;
      return waiting;
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const descriptor = { label: "webgpu-conv tensor", size: classBytes, usage };
    const pooled = this.allocator.allocate(this.#describe(0, classBytes, false), descriptor, (made) => {
      if (made.error) this.#leave(made);
      else if (made.pendingWrite && this.#all.has(made)) this.write(made, made.pendingWrite);
      made.pendingWrite = undefined;
    });
    this.#liveBytes += classBytes;
    this.#all.add(pooled);
    return pooled;
  }

  /** A caller's buffer, to be used like one of the pool's. The pool never destroys it. */
  borrow(buffer: GPUBuffer, offset: number, bytes: number): PooledBuffer {
    return Object.assign(this.#describe(offset, bytes, true), { buffer, arriving: undefined, error: undefined });
  }

  #describe(offset: number, bytes: number, borrowed: boolean): Omit<PooledBuffer, keyof Allocation> {
    return { id: this.#nextId++, offset, bytes, borrowed, onDestroy: new Set<() => void>(), pendingWrite: undefined };
  }

  /** Writes values from the host, before all work that is submitted later. They must not change until the buffer has arrived. */
  write(pooled: PooledBuffer, values: BufferSource): void {
    if (pooled.arriving) pooled.pendingWrite = values;
    else this.#device.queue.writeBuffer(pooled.buffer, pooled.offset, values);
  }

  /** Gives a buffer back. Every command that uses it must have been submitted. */
  release(pooled: PooledBuffer): void {
    if (pooled.borrowed) {
      this.#forget(pooled);
      return;
    }
    this.#liveBytes -= pooled.bytes;
    if (pooled.error || this.#pooledBytes + pooled.bytes > this.#capBytes) {
      this.#destroy(pooled);
      return;
    }
    this.#pooledBytes += pooled.bytes;
    const list = this.#free.get(pooled.bytes);
    if (list) list.push(pooled);
    else this.#free.set(pooled.bytes, [pooled]);
  }

  /** Destroys the unused buffers. */
  trim(): void {
    for (const list of this.#free.values()) list.forEach((pooled) => this.#destroy(pooled));
    this.#free.clear();
    this.#pooledBytes = 0;
  }

  /** Destroys every buffer, including those in use. */
  dispose(): void {
    this.allocator.dispose();
    this.trim();
    for (const pooled of this.#all) this.#destroy(pooled);
    this.#liveBytes = 0;
  }

  #destroy(pooled: PooledBuffer): void {
    this.#all.delete(pooled);
    // A buffer that is still arriving may be made once more.
    if (pooled.arriving) void pooled.arriving.then(() => pooled.buffer.destroy());
    pooled.buffer.destroy();
    this.#forget(pooled);
  }

  /** Takes a buffer that failed out of the unused ones. */
  #leave(pooled: PooledBuffer): void {
    const list = this.#free.get(pooled.bytes);
    const place = list?.indexOf(pooled) ?? -1;
    if (place < 0) return;
    list?.splice(place, 1);
    this.#pooledBytes -= pooled.bytes;
    this.#destroy(pooled);
  }

  #forget(pooled: PooledBuffer): void {
    for (const forget of pooled.onDestroy) forget();
    pooled.onDestroy.clear();
  }
}
