/** A stack of layers over an image or a volume that comes and goes by tiles. Bits are those of the whole (solvers.ts). */
import { LimitError } from "../base/errors.js";
import type { AbortSignal } from "../base/webgpuTypes.js";
import { runOne } from "../calls/calls.js";
import { product } from "../problem/geometry.js";
import type { Layout } from "../problem/layout.js";
import type { TensorData } from "../tensor/values.js";
import { chooseTile } from "./chooseTile.js";
import { combinationAt } from "./combinations.js";
import type { TileHost } from "./host.js";
import { runTiles, type TileWork, uploadRegion } from "./job.js";
import { type Layer, readStack, type Stack, tensorsOf, type TiledLayer } from "./layers.js";
import { readOptions, readSource, readTile, type TiledOptions, type TiledSource } from "./options.js";
import { Partitions } from "./partition.js";
import { regionOf, type TileRegion } from "./region.js";
import { LayerSolver } from "./solvers.js";
import { channelsMade, channelsRead, spansAt, type Tile } from "./tile.js";

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
  const tile = chooseTile(partitions, options.maxBytes, readTile(options, stack.rank));
  const work = new StackWork(host, stack, partitions, tile);
  const values = await runTiles(host, work, read, options, storages);
  const cost = partitions.costOfAll(tile);
  return { shape: work.shape, values, tile, tiles: work.total, bytes: typeof cost === "string" ? 0 : cost.bytes };
}

const lastOf = ({ layers }: Stack): Layer => layers[layers.length - 1];

/** A stack of layers in tiles. */
class StackWork implements TileWork {
  readonly total: number;
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly #host: TileHost;
  readonly #stack: Stack;
  readonly #partitions: Partitions;
  readonly #parts: readonly ReturnType<Partitions["parts"]>[];

  constructor(host: TileHost, stack: Stack, partitions: Partitions, sizes: readonly number[]) {
    this.#host = host;
    this.#stack = stack;
    this.#partitions = partitions;
    this.#parts = sizes.map((size, axis) => partitions.parts(axis, size));
    this.total = product(this.#parts.map(({ length }) => length));
    this.shape = lastOf(stack).outputShape;
    this.layout = stack.layout;
  }

  reads(index: number): TileRegion {
    const [first] = this.#stack.layers;
    return regionOf(spansAt(this.#tileAt(index), 0), channelsRead(first), first.inputShape, this.layout);
  }

  makes(index: number): TileRegion {
    const spans = this.#tileAt(index).map(({ wanted }) => wanted);
    return regionOf(spans, channelsMade(lastOf(this.#stack)), this.shape, this.layout);
  }

  computes(index: number): TileRegion {
    const { layers } = this.#stack;
    return regionOf(spansAt(this.#tileAt(index), layers.length), channelsMade(lastOf(this.#stack)), [], this.layout);
  }

  keyOf(index: number): string {
    return this.#tileAt(index)
      .map((part) => part.key)
      .join();
  }

  compute(index: number, values: TensorData, signal: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
    const { layers, dtype } = this.#stack;
    const region = this.reads(index);
    let x = uploadRegion(this.#host, values, region, region.shape, dtype);
    try {
      const steps = this.#partitions.stepsOf(this.#tileAt(index));
      if (typeof steps === "string") throw new LimitError(steps);
      for (const [at, { call, transposed }] of layers.entries()) {
        const { operation, planned } = steps[at];
        const operands = { ...call.operands, [transposed ? "y" : "x"]: x };
        const y = runOne(this.#host.run, { ...call, operation, operands, solver: planned.choice });
        x.dispose();
        x = y;
      }
      // Where the call ends before, what is not on the device's queue yet is dropped.
      return x.data({ signal });
    } finally {
      x.dispose();
    }
  }

  #tileAt(index: number): Tile {
    return combinationAt(this.#parts, index);
  }
}
