/** What a caller says of tiles: where values come from and go to, and how much memory there is. */
import { type CancelSignal, type Progress, requireWaitOptions } from "../backend/wait.js";
import { require, show } from "../base/errors.js";
import type { AbortSignal } from "../base/webgpuTypes.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { product, requireInteger } from "../problem/geometry.js";
import { type Layout, readLayout } from "../problem/layout.js";
import { readShape } from "../problem/shapes.js";
import { readValues, type TensorData } from "../tensor/values.js";
import { cutOut, type TileRegion } from "./region.js";

/**
 * An image, a volume or a row that comes by regions. Either `read` or `values` is given.
 */
export interface TiledSource {
  /** `[C, H, W]`, `[C, D, H, W]` or `[C, W]`, or as `options.layout` says: one sample. */
  readonly shape: readonly number[];
  /**
   * Gives a region's values, row-major, in any form that `engine.tensor` takes. Regions overlap where layers read beyond a tile.
   * Called once at a time, while the last tile is computed.
   *
   * @param signal aborts once the call has ended, and nobody waits for the values any more
   */
  readonly read?: (region: TileRegion, signal: AbortSignal) => TensorData | Promise<TensorData>;
  /** All values, where they are at hand. They must not change during the call. */
  readonly values?: TensorData;
}

/** Takes a region of the result. The array is the sink's. The next but one tile waits until it has resolved. */
export type TiledSink = (region: TileRegion, values: Float32Array<ArrayBuffer>) => void | Promise<void>;

export interface TiledOptions {
  /** Where results go, region by region, in the order of rows; without one the call resolves with all values. */
  readonly sink?: TiledSink;
  /**
   * Bytes that the call may take on the device and on the host, those of weights in other forms included; 256 MiB when absent. The
   * caller's own tensors and values do not count, nor does the result of a call without a sink.
   */
  readonly maxBytes?: number;
  /** Ends the call early: it rejects with the signal's reason, and leaves the engine as it was. */
  readonly signal?: CancelSignal;
  /** Called after each tile, with how many tiles the sink has, and how many there are. */
  readonly onProgress?: (progress: Progress) => void;
  /** Extents of a tile of the result, one for each spatial axis; as memory allows when absent. */
  readonly tile?: readonly number[];
  /** Dimension order of source and result; "channels-first" when absent. */
  readonly layout?: Layout;
}

const SOURCE_KEYS = optionKeys<TiledSource>({ shape: 1, read: 1, values: 1 });
const TILED_KEYS = optionKeys<TiledOptions>(
  { sink: 1, maxBytes: 1, signal: 1, onProgress: 1, tile: 1, layout: 1 },
  { number: "maxBytes" },
);
const DEFAULT_BYTES = 2 ** 28;

/** Options, checked. */
export interface ReadOptions extends Omit<TiledOptions, "maxBytes" | "layout"> {
  readonly maxBytes: number;
  readonly layout: Layout;
}

export function readOptions(options: TiledOptions): ReadOptions {
  requireOptions(options, TILED_KEYS);
  const { maxBytes = DEFAULT_BYTES, layout, sink } = options;
  requireInteger("maxBytes", maxBytes, 1);
  require(sink === undefined || typeof sink === "function", () => `sink is ${show(sink)}; expected a function`);
  requireWaitOptions(options);
  return { ...options, maxBytes, layout: readLayout(layout) };
}

/** Extents of a tile; undefined where the caller says none. */
export function readTile({ tile }: ReadOptions, rank: number): readonly number[] | undefined {
  return tile === undefined
    ? undefined
    : readShape("tile", tile, rank, () => `of the result, one for each spatial axis`);
}

const DIMENSIONS = "[C, W], [C, H, W] or [C, D, H, W], of one sample";

/** A source, checked. `values` are read at once. */
export function readSource(given: unknown, layout: Layout): Required<Omit<TiledSource, "values">> {
  requireOptions(given, SOURCE_KEYS, "source");
  const { shape: givenShape, read, values } = given as TiledSource;
  const dimensions = (givenShape as Partial<TiledSource["shape"]> | undefined)?.length ?? 0;
  require(dimensions >= 2 && dimensions <= 4, () => {
    return `source.shape is ${show(givenShape)}; expected ${DIMENSIONS}: each sample of a batch takes a call of its own`;
  });
  const shape = readShape("source", givenShape, dimensions, () => DIMENSIONS);
  require((read === undefined) !== (values === undefined), () => {
    return `source has ${read === undefined ? "neither read nor values" : "both read and values"}; expected one of them`;
  });
  if (read !== undefined) {
    require(typeof read === "function", () => `source.read is ${show(read)}; expected a function of a region`);
    return { shape, read: (region, signal) => read.call(given, region, signal) };
  }
  const all = readValues("source.values", values, shape, "float32", {}) as Float32Array<ArrayBuffer>;
  const origin = new Array<number>(dimensions - 1).fill(0);
  return {
    shape,
    read: (region) => (product(region.shape) === all.length ? all : cutOut(all, shape, origin, region, layout)),
  };
}
