/**
 * A stack of layers over an image or a volume that comes and goes by tiles. While a tile is computed the next one is read and the
 * last one is written. Bits are those of the whole (solvers.ts).
 */
import { ArgumentError, DeviceLostError, LimitError, textOf } from "../base/errors.js";
import { runOne } from "../calls/calls.js";
import { product } from "../problem/geometry.js";
import type { Tensor } from "../tensor/tensor.js";
import { lengthOf } from "../problem/axis.js";
import { chooseTile } from "./chooseTile.js";
import { Ends } from "./ends.js";
import type { TileHost } from "./host.js";
import { type Layer, readStack, type Stack, tensorsOf, type TiledLayer } from "./layers.js";
import { readOptions, type ReadOptions, readSource, readTile, type TiledOptions, type TiledSource } from "./options.js";
import { Partitions } from "./partition.js";
import { copyBlock, cutOut, describeRegion, placeIn, regionOf, type TileRegion } from "./region.js";
import { LayerSolver } from "./solvers.js";
import { channelsMade, channelsRead, spansAt, type Tile } from "./tile.js";
import type { TensorData } from "../tensor/values.js";

/** What a call made. */
export interface TiledResult {
  /** Of the result: `[C, H, W]`, or as `options.layout` says. */
  readonly shape: readonly number[];
  /** All values where there was no sink; undefined where they went to one. */
  readonly values: Float32Array<ArrayBuffer> | undefined;
  /** Extents of a tile of the result, how many there were, and the bytes that the largest took by the engine's account. */
  readonly tile: readonly number[];
  readonly tiles: number;
  readonly bytes: number;
}

type Read = Required<Omit<TiledSource, "values">>["read"];

export async function convolveTiled(
  host: TileHost,
  source: TiledSource,
  layers: readonly TiledLayer[],
  given: TiledOptions,
): Promise<TiledResult> {
  const options = readOptions(given);
  const { shape, read } = readSource(source, options.layout);
  const stack = readStack(layers, shape, options.layout);
  const storages = tensorsOf(stack).map(([name, tensor]) => tensor.storage(host.owner, name));
  const partitions = new Partitions(
    host,
    stack,
    stack.layers.map((layer) => new LayerSolver(host, layer)),
  );
  const sizes = chooseTile(partitions, options.maxBytes, readTile(options, stack.rank));
  const ends = new Ends(options.signal);
  host.backend.trim?.([]);
  try {
    const job = new Job(host, stack, partitions, sizes, ends, read, options);
    const values = await job.run();
    const cost = partitions.costOfAll(sizes);
    return {
      shape: lastOf(stack).outputShape,
      values,
      tile: sizes,
      tiles: job.total,
      bytes: typeof cost === "string" ? 0 : cost.bytes,
    };
  } finally {
    ends.close();
    // A device that is lost has no memory to give back.
    await host.backend.submit().catch(() => undefined);
    host.backend.trim?.(storages);
  }
}

/** Losses of a device that a tile gets over. */
const MOST_LOSSES = 5;

const lastOf = ({ layers }: Stack): Layer => layers[layers.length - 1];

/** A pause in which timers and events of the host have their turn. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** A call that runs. */
class Job {
  readonly total: number;
  readonly #host: TileHost;
  readonly #stack: Stack;
  readonly #partitions: Partitions;
  readonly #parts: ReturnType<Partitions["parts"]>[];
  readonly #ends: Ends;
  readonly #read: Read;
  readonly #options: ReadOptions;
  readonly #values: Float32Array<ArrayBuffer> | undefined;
  #shape: string | undefined;

  constructor(
    host: TileHost,
    stack: Stack,
    partitions: Partitions,
    sizes: readonly number[],
    ends: Ends,
    read: Read,
    options: ReadOptions,
  ) {
    this.#host = host;
    this.#stack = stack;
    this.#partitions = partitions;
    this.#parts = sizes.map((size, axis) => partitions.parts(axis, size));
    this.total = product(this.#parts.map(({ length }) => length));
    this.#ends = ends;
    this.#read = read;
    this.#options = options;
    this.#values = options.sink ? undefined : new Float32Array(product(lastOf(stack).outputShape));
  }

  /** All values, where there is no sink. */
  async run(): Promise<Float32Array<ArrayBuffer> | undefined> {
    const ends = this.#ends;
    await ends.on(undefined);
    ends.watch(this.#host);
    let reading = this.#startReading(0);
    let writing: Promise<void> = Promise.resolve();
    for (let index = 0; index < this.total; index++) {
      const tile = this.#tileAt(index);
      const computed = this.#computeSurely(tile, await ends.on(reading));
      if (index + 1 < this.total) reading = this.#startReading(index + 1);
      const result = this.#cut(tile, await ends.on(computed));
      await ends.on(writing);
      writing = this.#write(tile, result, index + 1);
      writing.catch(() => undefined);
      if (!this.#host.backend.device) await ends.on(pause());
    }
    await ends.on(writing);
    return this.#values;
  }

  #tileAt(index: number): Tile {
    let rest = index;
    return this.#parts
      .map((_, axis) => this.#parts[this.#parts.length - 1 - axis])
      .map((parts) => {
        const part = parts[rest % parts.length];
        rest = Math.floor(rest / parts.length);
        return part;
      })
      .reverse();
  }

  #startReading(index: number): Promise<TensorData> {
    const reading = this.#readTile(this.#tileAt(index));
    // Nobody waits for it where the call ends before.
    reading.catch(() => undefined);
    return reading;
  }

  async #readTile(tile: Tile): Promise<TensorData> {
    const [first] = this.#stack.layers;
    const region = this.#region(tile, 0, channelsRead(first), first.inputShape);
    try {
      return await this.#read(region, this.#ends.over.signal);
    } catch (cause) {
      throw failed("source.read", region, cause, "a source that gives each region, or call again once it does");
    }
  }

  #region(tile: Tile, at: number, channels: number, whole: readonly number[]): TileRegion {
    return regionOf(spansAt(tile, at), channels, whole, this.#stack.layout);
  }

  /** A tile's values. Where the engine recovers from a loss of its device, the tile is computed once more. */
  async #computeSurely(tile: Tile, values: TensorData): Promise<Float32Array<ArrayBuffer>> {
    for (let losses = 0; ; losses++) {
      const lossSince = this.#ends.watch(this.#host);
      try {
        return await this.#compute(tile, values);
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

  /** Records a tile's layers. Nothing of them is left once this has returned, but the promise of the values. */
  #compute(tile: Tile, values: TensorData): Promise<Float32Array<ArrayBuffer>> {
    const { backend, run } = this.#host;
    const key = tile.map((part) => part.key).join();
    // Memory of another shape would lie unused beside this one's.
    if (this.#shape !== key) backend.trim?.([]);
    this.#shape = key;
    const { layers } = this.#stack;
    let x = this.#upload(tile, values);
    try {
      const steps = this.#partitions.stepsOf(tile);
      if (typeof steps === "string") throw new LimitError(steps);
      for (const [index, { call, transposed }] of layers.entries()) {
        const { operation, planned } = steps[index];
        const operands = { ...call.operands, [transposed ? "y" : "x"]: x };
        const y = runOne(run, { ...call, operation, operands, solver: planned.choice });
        x.dispose();
        x = y;
      }
      // Where the call ends before, what is not on the device's queue yet is dropped.
      return x.data({ signal: this.#ends.over.signal });
    } finally {
      x.dispose();
    }
  }

  #upload(tile: Tile, values: TensorData): Tensor {
    const [first] = this.#stack.layers;
    const region = this.#region(tile, 0, channelsRead(first), first.inputShape);
    try {
      return this.#host.upload(values, region.shape, this.#stack.dtype);
    } catch (cause) {
      if (!(cause instanceof ArgumentError)) throw cause;
      throw new ArgumentError(`source.read gave wrong values for ${describeRegion(region)}: ${cause.message}`, {
        cause,
      });
    }
  }

  /** What is wanted of what was computed. */
  #cut(tile: Tile, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
    const computed = spansAt(tile, this.#stack.layers.length);
    if (computed.every((span, axis) => lengthOf(span) === lengthOf(tile[axis].wanted))) return values;
    const { layout } = this.#stack;
    const channels = channelsMade(lastOf(this.#stack));
    const { shape, begin } = regionOf(computed, channels, [], layout);
    return cutOut(values, shape, begin, this.#wanted(tile), layout);
  }

  #wanted(tile: Tile): TileRegion {
    const last = lastOf(this.#stack);
    const spans = tile.map(({ wanted }) => wanted);
    return regionOf(spans, channelsMade(last), last.outputShape, this.#stack.layout);
  }

  async #write(tile: Tile, values: Float32Array<ArrayBuffer>, done: number): Promise<void> {
    const region = this.#wanted(tile);
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
      const at = placeIn(begin, origin, this.#stack.layout);
      copyBlock({ values, shape, at: shape.map(() => 0) }, { values: this.#values, shape: whole, at }, shape);
    }
    if (!this.#ends.over.signal.aborted) onProgress?.({ done, total: this.total });
  }
}

const failed = (what: string, region: TileRegion, cause: unknown, remedy: string): ArgumentError =>
  new ArgumentError(`${what} failed for ${describeRegion(region)}: ${textOf(cause)}; expected ${remedy}`, { cause });
