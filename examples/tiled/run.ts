/** Runs a job by tiles, tells how far it is, and what it took. */
import type { Engine, TiledResult } from "webgpu-conv";
import { startProgress } from "../benchmark/progress.js";
import type { Job } from "./job.js";

const MIB = 2 ** 20;

export interface Report {
  readonly result: TiledResult;
  readonly seconds: number;
  /** The most that was in use at the end of a tile, in bytes: of the engine's memory, and of the process beyond its start. */
  readonly engineBytes: number;
  readonly processBytes: number;
}

export async function runJob(engine: Engine, job: Job, maxBytes: number, signal: AbortSignal): Promise<Report> {
  const layers = job.layers(engine);
  const atStart = process.memoryUsage().rss;
  const peak = { engine: 0, process: 0 };
  let progress: ReturnType<typeof startProgress> | undefined;
  const start = performance.now();
  try {
    const result = await engine.convolveTiled(job.source, layers, {
      maxBytes,
      signal,
      sink: job.sink,
      onProgress: ({ done, total }) => {
        const { liveBytes, pooledBytes } = engine.memory();
        peak.engine = Math.max(peak.engine, liveBytes + pooledBytes);
        peak.process = Math.max(peak.process, process.memoryUsage().rss - atStart);
        progress ??= startProgress(total);
        progress.update(
          done,
          `${(peak.engine / MIB).toFixed(0)} MiB on the device, process +${(peak.process / MIB).toFixed(0)} MiB`,
        );
      },
    });
    const seconds = (performance.now() - start) / 1000;
    return { result, seconds, engineBytes: peak.engine, processBytes: peak.process };
  } finally {
    progress?.stop();
    for (const { weight } of layers) weight.dispose();
  }
}

export function describe({ result, seconds, engineBytes, processBytes }: Report): string {
  const { tiles, tile, bytes, shape } = result;
  const rate = shape.reduce((a, b) => a * b, 1) / seconds / 1e6;
  const mib = (count: number): string => `${(count / MIB).toFixed(0)} MiB`;
  return [
    `tiles    ${String(tiles)} of ${tile.join(" x ")}, ${mib(bytes)} each by the engine's account`,
    `time     ${seconds.toFixed(1)} s, ${rate.toFixed(2)} million results a second`,
    `memory   at most ${mib(engineBytes)} of the engine on the device; the process grew by ${mib(processBytes)}`,
  ].join("\n");
}
