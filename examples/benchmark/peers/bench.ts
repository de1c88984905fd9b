/** The benchmark itself, in a page or in Node: opens the engines on one adapter and measures what it is told to. */
import * as ortGpu from "onnxruntime-web/webgpu";
import * as ortCpu from "onnxruntime-web/wasm";
import type { PeerEngine } from "./engine.js";
import { openJax } from "./engines/jax.js";
import { openOrtWasm, openOrtWebgpu } from "./engines/ort.js";
import { openTfjs } from "./engines/tfjs.js";
import { openWebgpuConv } from "./engines/webgpuConv.js";
import type { Layer, Pass } from "./layers.js";
import { makeCase, measurePass } from "./measure.js";
import type { PeerReport, Row } from "./row.js";
import { train } from "./training/bench.js";
import type { TrainingTask } from "./training/measure.js";
import type { TrainingRow } from "./training/row.js";

export interface Opened extends Pick<PeerReport, "adapter" | "software" | "engines"> {
  readonly tuned: boolean;
}

/** Handed over as JSON. */
export interface Task {
  readonly layer: Layer;
  readonly pass: Pass;
  readonly rounds: number;
}

export interface Bench {
  readonly opened: Opened;
  measure(task: Task): Promise<Row[]>;
  /** With engines of its own. jax-js has but one device: nothing may be measured before. */
  train(task: TrainingTask): Promise<TrainingRow[]>;
}

/** Every engine gets a device of its own, on the same adapter. */
export async function openBench(tune: boolean): Promise<Bench> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("WebGPU finds no adapter here");
  const own = await openWebgpuConv(tune);
  const engines: PeerEngine[] = [
    own,
    await openTfjs(adapter),
    openOrtWebgpu(ortGpu),
    await openJax(),
    openOrtWasm(ortCpu),
  ];
  const versions = Object.fromEntries(engines.map(({ name, version }) => [name, version]));
  return {
    opened: {
      adapter: own.adapter.description,
      software: own.adapter.software,
      engines: versions,
      tuned: tune,
    },
    measure: ({ layer, pass, rounds }) => measurePass(engines, makeCase(layer), pass, rounds),
    train,
  };
}
