/** Storage buffers by size class: a released one serves the next request of its class. Callers' buffers pass through. */

/** Waste from rounding a size up to its class is below one part in this many. */
const STEPS_PER_DOUBLING = 8;
const SMALLEST_BYTES = 256;

/** Storage for tensors and workspace. */
export interface PooledBuffer {
  readonly id: number;
  readonly buffer: GPUBuffer;
  /** Where in the buffer it begins: 0, but in a caller's buffer. */
  readonly offset: number;
  /** Bytes of the class, at least what was asked for; in a caller's buffer exactly that. */
  readonly bytes: number;
  /** Whether the buffer is a caller's, and not the pool's to keep or destroy. */
  readonly borrowed: boolean;
  /** Called once, when the buffer is destroyed or leaves: what was built on it must go. */
  readonly onDestroy: Set<() => void>;
}

/** Bytes of the size class that holds `bytes`: a multiple of 256, larger by at most an eighth or 256 bytes. */
export function sizeClass(bytes: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(bytes, SMALLEST_BYTES)));
  const step = Math.max(SMALLEST_BYTES, power / 2 / STEPS_PER_DOUBLING);
  return Math.max(SMALLEST_BYTES, Math.ceil(bytes / step) * step);
}

export class BufferPool {
  readonly #device: GPUDevice;
  readonly #capBytes: number;
  readonly #free = new Map<number, PooledBuffer[]>();
  readonly #all = new Set<PooledBuffer>();
  #nextId = 1;
  #liveBytes = 0;
  #pooledBytes = 0;

  /** @param capBytes how much memory may wait unused; what is released beyond it is destroyed */
  constructor(device: GPUDevice, capBytes: number) {
    this.#device = device;
    this.#capBytes = capBytes;
  }

  /** Bytes handed out and not given back. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Bytes waiting to be used again. */
  get pooledBytes(): number {
    return this.#pooledBytes;
  }

  /** Bytes of the buffer that a request for so many gets. */
  classBytes(bytes: number): number {
    return Math.min(sizeClass(bytes), Math.max(bytes, this.#device.limits.maxStorageBufferBindingSize));
  }

  acquire(bytes: number): PooledBuffer {
    const classBytes = this.classBytes(bytes);
    const waiting = this.#free.get(classBytes)?.pop();
    this.#liveBytes += classBytes;
    if (waiting) {
      this.#pooledBytes -= classBytes;
      return waiting;
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#device.createBuffer({ label: "webgpu-conv tensor", size: classBytes, usage });
    const pooled = this.#describe(buffer, 0, classBytes, false);
    this.#all.add(pooled);
    return pooled;
  }

  /** A caller's buffer, to be used like one of the pool's. Releasing it leaves the buffer alone. */
  borrow(buffer: GPUBuffer, offset: number, bytes: number): PooledBuffer {
    return this.#describe(buffer, offset, bytes, true);
  }

  #describe(buffer: GPUBuffer, offset: number, bytes: number, borrowed: boolean): PooledBuffer {
    return { id: this.#nextId++, buffer, offset, bytes, borrowed, onDestroy: new Set<() => void>() };
  }

  /** Gives a buffer back. Every command that uses it must have been submitted. */
  release(pooled: PooledBuffer): void {
    if (pooled.borrowed) {
      this.#forget(pooled);
      return;
    }
    this.#liveBytes -= pooled.bytes;
    if (this.#pooledBytes + pooled.bytes > this.#capBytes) {
      this.#destroy(pooled);
      return;
    }
    this.#pooledBytes += pooled.bytes;
    const list = this.#free.get(pooled.bytes);
    if (list) list.push(pooled);
    else this.#free.set(pooled.bytes, [pooled]);
  }

  /** Destroys the buffers that wait. */
  trim(): void {
    for (const list of this.#free.values()) list.forEach((pooled) => this.#destroy(pooled));
    this.#free.clear();
    this.#pooledBytes = 0;
  }

  /** Destroys every buffer, those handed out too. */
  dispose(): void {
    this.trim();
    for (const pooled of this.#all) this.#destroy(pooled);
    this.#liveBytes = 0;
  }

  #destroy(pooled: PooledBuffer): void {
    this.#all.delete(pooled);
    pooled.buffer.destroy();
    this.#forget(pooled);
  }

  #forget(pooled: PooledBuffer): void {
    for (const forget of pooled.onDestroy) forget();
    pooled.onDestroy.clear();
  }
}
