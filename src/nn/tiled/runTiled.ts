/** Networks over images and volumes of any size, by tiles. */
import { tileHostOf } from "../../api/tiled.js";
import { Context } from "../../api/context.js";
import { require, show } from "../../base/errors.js";
import type { AbortSignal } from "../../base/webgpuTypes.js";
import type { DType } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import { joinActivation, type Layout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { TensorData } from "../../tensor/values.js";
import { combinationAt } from "../../tiled/combinations.js";
import type { TiledResult } from "../../tiled/convolveTiled.js";
import type { TileHost } from "../../tiled/host.js";
import { runTiles, type TileWork, uploadRegion } from "../../tiled/job.js";
import { readOptions, readSource, readTile, type TiledOptions, type TiledSource } from "../../tiled/options.js";
import { regionOf, type TileRegion } from "../../tiled/region.js";
import { contextOf } from "../core/operation.js";
import { type Module, parametersOf, requireModule } from "../modules/module.js";
import { runTraced } from "../trace/runTraced.js";
import { chooseTile } from "./chooseTile.js";
import { NetworkTrace } from "./networkTrace.js";
import { runForced } from "./runForced.js";
import { type NetworkTile, requireShape, Tiling, type TraceOf } from "./tiling.js";

/**
 * Runs a network on an image, a row or a volume that comes and goes by regions, in memory bounded by `options.maxBytes`: a part of the
 * result after the other, each computed from a crop of the source with as much around it as the network sees. Bits are those that
 * `module.forward` gives for the whole, wherever the whole fits: there are no seams. While a tile is computed the next one is read and
 * the last one is written.
 *
 * ```ts
 * const model = loadModel(engine, graph);
 * await runTiled(model, { shape: [3, 4000, 6000], read }, { sink, maxBytes: 2 ** 28, onProgress });
 * ```
 *
 * @param module in evaluation mode, of convolutions, transposed ones, pooling, resizing, padding, pixel shuffle and what works on each
 *   position by itself. What `options.maxBytes` bounds is beside its parameters, and norms that are folded into weights
 * @param source one sample, `[C, H, W]`, or as `options.layout` says
 * @throws ArgumentError for a network with an operation that needs all positions at once, such as a global pooling, or that reads what
 *   differs from position to position and is not computed from the input, with its layer.
 * @throws LimitError where no tile is small enough for `maxBytes`, or windows or the order of sums depend on the size.
 */
export async function runTiled(module: Module, source: TiledSource, options: TiledOptions = {}): Promise<TiledResult> {
  requireModule("module", module);
  const read = readOptions(options);
  if (read.signal?.aborted === true) throw read.signal.reason as Error;
  const { shape, read: readRegion } = readSource(source, read.layout);
  require(!module.training, () => {
    return `the module ${show(module.kind)} is in training mode; expected a network in evaluation mode: setTraining(module, false)`;
  });
  const parameters = Object.values(parametersOf(module));
  require(parameters.length > 0, () => `the module ${show(module.kind)} has no parameters; expected a network`);
  const [first] = parameters;
  const owner = contextOf(first, "a parameter").requireLive();
  const context = new Context(owner);
  const host = tileHostOf(context);
  // Norms have parameters of float32, whatever the network is of.
  const dtype: DType = parameters.some((one) => one.dtype === "float16") ? "float16" : "float32";
  const spatial = (whole: readonly number[]): readonly number[] =>
    read.layout === "channels-first" ? whole.slice(1) : whole.slice(0, -1);
  const channels = product(shape) / product(spatial(shape));
  const trace: TraceOf = (extents, memory) => {
    const input = { shape: joinActivation({ batch: 1, channels, spatial: extents }, read.layout), dtype };
    return runTraced(
      first,
      input,
      (x) => module.forward(x),
      (_, path) => new NetworkTrace(read.layout, path, memory),
    );
  };
  const tiling = new Tiling(host, trace, spatial(shape), dtype);
  const { sizes, bytes } = chooseTile(tiling, read.maxBytes, readTile(read, tiling.extents.length));
  const work = new NetworkWork({ module, host, context, tiling, sizes, layout: read.layout, channels, dtype });
  const kept = parameters.map((tensor) => tensor.storage(host.owner, "a parameter"));
  const values = await owner.waits.on(runTiles(host, work, readRegion, read, kept));
  return { shape: work.shape, values, tile: sizes, tiles: work.total, bytes };
}

interface NetworkWorkParts {
  readonly module: Module;
  readonly host: TileHost;
  readonly context: Context;
  readonly tiling: Tiling;
  readonly sizes: readonly number[];
  readonly layout: Layout;
  readonly channels: number;
  readonly dtype: DType;
}

/** A network in tiles. */
class NetworkWork implements TileWork {
  readonly total: number;
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly #of: NetworkWorkParts;
  readonly #parts: readonly NetworkTile[];
  readonly #channels: number;

  constructor(parts: NetworkWorkParts) {
    const { tiling, sizes, layout } = parts;
    this.#of = parts;
    this.#parts = sizes.map((size, axis) => tiling.parts(axis, size));
    this.total = product(this.#parts.map(({ length }) => length));
    this.shape = tiling.whole.values[tiling.whole.output].shape.slice(1);
    this.layout = layout;
    this.#channels = product(this.shape) / product(tiling.extents);
  }

  reads(index: number): TileRegion {
    const { tiling, channels } = this.#of;
    const { shape } = tiling.whole.values[0];
    return regionOf(
      this.#tileAt(index).map(({ crop }) => crop),
      channels,
      shape.slice(1),
      this.layout,
    );
  }

  makes(index: number): TileRegion {
    const spans = this.#tileAt(index).map(({ wanted }) => wanted);
    return regionOf(spans, this.#channels, this.shape, this.layout);
  }

  computes(index: number): TileRegion {
    const { tiling } = this.#of;
    const tile = this.#tileAt(index);
    const { extents } = requireShape(tiling.shapeOf(tile));
    const spans = tile.map(({ firsts }, axis) => {
      const begin = firsts[tiling.whole.output];
      return { begin, end: begin + extents[axis] };
    });
    return regionOf(spans, this.#channels, this.shape, this.layout);
  }

  keyOf(index: number): string {
    return requireShape(this.#of.tiling.shapeOf(this.#tileAt(index))).key;
  }

  compute(index: number, values: TensorData, signal: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
    const { module, host, context, tiling, dtype } = this.#of;
    const { choices } = requireShape(tiling.shapeOf(this.#tileAt(index)));
    const region = this.reads(index);
    const x = uploadRegion(host, values, region, [1, ...region.shape], dtype);
    let y: Tensor | undefined;
    try {
      y = runForced(context.core, choices, () => module.forward(x));
      // Where the call ends before, what is not on the device's queue yet is dropped.
      return y.data({ signal });
    } finally {
      x.dispose();
      y?.dispose();
    }
  }

  #tileAt(index: number): NetworkTile {
    return combinationAt(this.#parts, index);
  }
}
