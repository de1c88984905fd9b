/** Tiles, one after the other: while one is computed the next one is read and the last one is written. */
import { ArgumentError, DeviceLostError, textOf } from "../base/errors.js";
import type { AbortSignal } from "../base/webgpuTypes.js";
import type { DType } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import type { Layout } from "../problem/layout.js";
import type { Tensor } from "../tensor/tensor.js";
import type { TensorData } from "../tensor/values.js";
import { Ends } from "./ends.js";
import type { TileHost } from "./host.js";
import type { ReadOptions, TiledSource } from "./options.js";
import { copyBlock, cutOut, describeRegion, placeIn, type TileRegion } from "./region.js";

/** Work that is cut into tiles, in the order in which they run. */
export interface TileWork {
  readonly total: number;
  /** Of the whole result, and of all regions. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  /** What tile `index` needs of the source. */
  reads(index: number): TileRegion;
  /** What of the result it is for. */
  makes(index: number): TileRegion;
  /** What it computes of the result: at least what it is for. Of the whole's shape nothing is said. */
  computes(index: number): TileRegion;
  /** Tiles with the same key take the same memory. */
  keyOf(index: number): string;
  /** Records a tile. Nothing of it is left once this has returned, but the promise of the values. */
  compute(index: number, values: TensorData, signal: AbortSignal): Promise<Float32Array<ArrayBuffer>>;
}

type Read = Required<Omit<TiledSource, "values">>["read"];

/**
 * Runs all tiles.
 *
 * @param kept tensors' memory in other forms that is given back at the end
 * @returns all values, where there is no sink
 */
export async function runTiles(
  host: TileHost,
  work: TileWork,
  read: Read,
  options: ReadOptions,
  kept: Parameters<NonNullable<TileHost["backend"]["trim"]>>[0],
): Promise<Float32Array<ArrayBuffer> | undefined> {
  const ends = new Ends(options.signal);
  host.backend.trim?.([]);
  try {
    return await new Job(host, work, ends, read, options).run();
  } finally {
    ends.close();
    // A device that is lost has no memory to give back.
    await host.backend.submit().catch(() => undefined);
    host.backend.trim?.(kept);
  }
}

/** A region's values as a tensor. Wrong ones are the source's fault. */
export function uploadRegion(
  host: TileHost,
  values: TensorData,
  region: TileRegion,
  shape: readonly number[],
  dtype: DType,
): Tensor {
  try {
    return host.upload(values, shape, dtype);
  } catch (cause) {
    if (!(cause instanceof ArgumentError)) throw cause;
    throw new ArgumentError(`source.read gave wrong values for ${describeRegion(region)}: ${cause.message}`, {
      cause,
    });
  }
}

/** Losses of a device that a tile gets over. */
const MOST_LOSSES = 5;

/** A pause in which timers and events of the host have their turn. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** A call that runs. */
class Job {
  readonly #host: TileHost;
  readonly #work: TileWork;
  readonly #ends: Ends;
  readonly #read: Read;
  readonly #options: ReadOptions;
  readonly #values: Float32Array<ArrayBuffer> | undefined;
  #key: string | undefined;

  constructor(host: TileHost, work: TileWork, ends: Ends, read: Read, options: ReadOptions) {
    this.#host = host;
    this.#work = work;
    this.#ends = ends;
    this.#read = read;
    this.#options = options;
    this.#values = options.sink ? undefined : new Float32Array(product(work.shape));
  }

  /** All values, where there is no sink. */
  async run(): Promise<Float32Array<ArrayBuffer> | undefined> {
    const ends = this.#ends;
    const { total } = this.#work;
    await ends.on(undefined);
    ends.watch(this.#host);
    let reading = this.#startReading(0);
    let writing: Promise<void> = Promise.resolve();
    for (let index = 0; index < total; index++) {
      const computed = this.#computeSurely(index, await ends.on(reading));
      if (index + 1 < total) reading = this.#startReading(index + 1);
      const result = this.#cut(index, await ends.on(computed));
      await ends.on(writing);
      writing = this.#write(index, result);
      writing.catch(() => undefined);
      if (!this.#host.backend.device) await ends.on(pause());
    }
    await ends.on(writing);
    return this.#values;
  }

  #startReading(index: number): Promise<TensorData> {
    const reading = this.#readTile(this.#work.reads(index));
    // Nobody waits for it where the call ends before.
    reading.catch(() => undefined);
    return reading;
  }

  async #readTile(region: TileRegion): Promise<TensorData> {
    try {
      return await this.#read(region, this.#ends.over.signal);
    } catch (cause) {
      throw failed("source.read", region, cause, "a source that gives each region, or call again once it does");
    }
  }

  /** A tile's values. Where the engine recovers from a loss of its device, the tile is computed once more. */
  async #computeSurely(index: number, values: TensorData): Promise<Float32Array<ArrayBuffer>> {
    for (let losses = 0; ; losses++) {
      const lossSince = this.#ends.watch(this.#host);
      try {
        return await this.#compute(index, values);
      } catch (error) {
        if (!(error instanceof DeviceLostError) || losses === MOST_LOSSES) throw error;
        await pause();
        // Otherwise it is weights that are lost, of which the host has no copy.
        const recovered = lossSince()?.recovered;
        if (!recovered) throw error;
        await recovered;
      }
    }
  }

  #compute(index: number, values: TensorData): Promise<Float32Array<ArrayBuffer>> {
    const key = this.#work.keyOf(index);
    // Memory of another shape would lie unused beside this one's.
    if (this.#key !== key) this.#host.backend.trim?.([]);
    this.#key = key;
    return this.#work.compute(index, values, this.#ends.over.signal);
  }

  /** What is wanted of what was computed. */
  #cut(index: number, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
    const { shape, begin } = this.#work.computes(index);
    const region = this.#work.makes(index);
    if (product(region.shape) === values.length) return values;
    return cutOut(values, shape, begin, region, this.#work.layout);
  }

  async #write(index: number, values: Float32Array<ArrayBuffer>): Promise<void> {
    const region = this.#work.makes(index);
    const { sink, onProgress } = this.#options;
    if (sink) {
      try {
        await sink(region, values);
      } catch (cause) {
        throw failed("the sink", region, cause, "a sink that takes each region; those before this one were taken");
      }
    } else if (this.#values) {
      const { shape, whole, begin } = region;
      const origin = begin.map(() => 0);
      const at = placeIn(begin, origin, this.#work.layout);
      copyBlock({ values, shape, at: shape.map(() => 0) }, { values: this.#values, shape: whole, at }, shape);
    }
    if (!this.#ends.over.signal.aborted) onProgress?.({ done: index + 1, total: this.#work.total });
  }
}

const failed = (what: string, region: TileRegion, cause: unknown, remedy: string): ArgumentError =>
  new ArgumentError(`${what} failed for ${describeRegion(region)}: ${textOf(cause)}; expected ${remedy}`, { cause });
