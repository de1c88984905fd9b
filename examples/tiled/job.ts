/** What is run by tiles: a source, layers and a sink. */
import type { Engine, TiledLayer, TiledSink, TiledSource } from "webgpu-conv";

export interface Job {
  readonly what: string;
  readonly source: TiledSource;
  readonly layers: (engine: Engine) => readonly TiledLayer[];
  readonly sink: TiledSink;
  /** Called once all results are there; throws where they are wrong. What it gives is told. */
  readonly finish: () => string | Promise<string>;
}
