/** Work by tiles: code that is loaded when it is first called. */
import { loadLazily } from "../base/lazy.js";
import type { TiledResult } from "../tiled/convolveTiled.js";
import type { TileHost } from "../tiled/host.js";
import type { TiledLayer } from "../tiled/layers.js";
import type { TiledOptions, TiledSource } from "../tiled/options.js";
import type { Context } from "./context.js";
import { uploadValues } from "./newTensors.js";

export async function runTiled(
  context: Context,
  source: TiledSource,
  layers: readonly TiledLayer[],
  options: TiledOptions,
): Promise<TiledResult> {
  const { waits } = context.requireLive();
  const { convolveTiled } = await waits.on(loadLazily("work by tiles", () => import("../tiled/convolveTiled.js")));
  return await waits.on(convolveTiled(tileHostOf(context), source, layers, options));
}

/** The engine of a context, as tiles know it. Where it recovers from a loss, it keeps its backend. */
export function tileHostOf(context: Context): TileHost {
  const owner = context.requireLive();
  const { backend, tuning } = owner;
  return {
    backend,
    owner,
    run: context.run.bind(context),
    upload: (values, shape, dtype) => uploadValues(context, values, shape, { dtype }),
    choiceFor: (operation) => tuning.choiceFor(operation),
  };
}
