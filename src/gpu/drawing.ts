/** Draws tensors onto textures and canvases, among the work that is recorded. */
import type { DrawTarget, Planes } from "../backend/draw.js";
import { DeviceError } from "../base/errors.js";
import { loadLazily } from "../base/lazy.js";
import { popReason } from "./device/allocation.js";
import type { Painter } from "./drawPlane.js";
import type { DeviceParts } from "./parts.js";
import { errorOf, type GpuStorage } from "./device/storage.js";

export class Drawing {
  readonly #parts: DeviceParts;
  #painter: Painter | undefined;

  constructor(parts: DeviceParts) {
    this.#parts = parts;
  }

  /** Resolves once the device has accepted the drawing. */
  async draw(source: GpuStorage, planes: Planes, target: DrawTarget): Promise<void> {
    const { life, recorder, capabilities, pieces } = this.#parts;
    life.require();
    pieces?.requireBindable(source, capabilities, "draw()");
    recorder.requireUsable(source);
    const entry = this.#painter?.entryFor(source, planes, target);
    const waiting = recorder.flush() ?? source.pooled.arriving;
    // Draws at once where it can: a page draws many maps into one frame of its canvas.
    if (this.#painter && entry?.pipeline && !waiting) {
      const error = errorOf(source);
      if (error) throw error;
      await this.#paint(this.#painter, entry.pipeline, source, planes, target);
      await recorder.settled();
      if (source.error) throw source.error;
      return;
    }
    const snapshot = this.#snapshot(source);
    try {
      await recorder.submit();
      const painter = await this.#loadPainter();
      const { ready } = entry ?? painter.entryFor(source, planes, target);
      const [error, pipeline] = await Promise.all([snapshot.error, ready]);
      life.require();
      if (error) throw error;
      await this.#paint(painter, pipeline, snapshot.storage, planes, target);
    } finally {
      snapshot.release();
    }
  }

  /** Loaded with the first drawing. */
  async #loadPainter(): Promise<Painter> {
    const { Painter } = await loadLazily("drawing", () => import("./drawPlane.js"));
    return (this.#painter ??= new Painter(this.#parts.device));
  }

  /**
   * A copy of the values that everything recorded so far leaves: the tensor may be disposed of or written to before the drawing.
   * A caller's buffer that cannot be copied is read when it is drawn.
   */
  #snapshot(source: GpuStorage): {
    readonly storage: GpuStorage;
    readonly error: Promise<DeviceError | undefined>;
    readonly release: () => void;
  } {
    const { pooled, bytes } = source;
    if (pooled.borrowed && (pooled.buffer.usage & GPUBufferUsage.COPY_SRC) === 0) {
      return { storage: source, error: Promise.resolve(source.error), release: () => undefined };
    }
    const { pool, memory, recorder } = this.#parts;
    const copy = pool.acquire(bytes);
    const error = recorder.copy(source, copy);
    return { storage: { ...source, pooled: copy }, error, release: () => memory.release(copy) };
  }

  /** Submits the drawing at once; rejects if the device refuses it. */
  async #paint(
    painter: Painter,
    pipeline: GPURenderPipeline,
    source: GpuStorage,
    planes: Planes,
    target: DrawTarget,
  ): Promise<void> {
    const { device, life } = this.#parts;
    device.pushErrorScope("validation");
    let reason: Promise<string | undefined>;
    try {
      painter.paint(pipeline, source, planes, painter.textureOf(target));
    } finally {
      reason = popReason(device);
    }
    const message = await reason;
    if (message === undefined) return;
    // Firefox refuses everything on a lost device, and tells of the loss later.
    await life.requireAlive();
    throw new DeviceError(`the device refused the drawing: ${message}`);
  }
}
