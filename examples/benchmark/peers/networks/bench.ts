/** Opens the engines for a published network, in a page or in Node, and measures what it is asked to. */
import * as ortGpu from "onnxruntime-web/webgpu";
import * as ortCpu from "onnxruntime-web/wasm";
import { CPU_BASELINE, OWN_ENGINE } from "../engine.js";
import { openJax } from "./engines/jax.js";
import { openOrtWasm, openOrtWebgpu } from "./engines/ort.js";
import { openTfjs } from "./engines/tfjs.js";
import { openWebgpuConv } from "./engines/webgpuConv.js";
import { type First, measureFirst, measureSteady, type Open, type Steady } from "./measure.js";
import type { NetworkTask } from "./task.js";

const OPENERS: Readonly<Record<string, Open>> = {
  [OWN_ENGINE]: openWebgpuConv,
  "tfjs-webgpu": async (network) => {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) throw new Error("WebGPU finds no adapter here");
    return await openTfjs(adapter, network);
  },
  "jax-js": openJax,
  "onnxruntime-webgpu": (network) => openOrtWebgpu(ortGpu, network),
  [CPU_BASELINE]: (network) => openOrtWasm(ortCpu, network),
};

/** Of one engine, in a place where no engine has run before. */
export const first = (task: NetworkTask, engine: string): Promise<First> => measureFirst(task, OPENERS[engine]);

/** Of engines side by side. */
export const steady = (task: NetworkTask, engines: readonly string[], rounds: number): Promise<Steady[]> =>
  measureSteady(
    task,
    engines.map((name) => OPENERS[name]),
    rounds,
  );
