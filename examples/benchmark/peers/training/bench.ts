/** Opens the engines for a network, and measures its steps: in a page or in Node. */
import { openJax } from "./engines/jax.js";
import { openTfjs } from "./engines/tfjs.js";
import { openWebgpuConv } from "./engines/webgpuConv.js";
import { measureTraining, type TrainingTask } from "./measure.js";
import type { TrainingRow } from "./row.js";
import { TRAINERS } from "./trainer.js";

export async function train(task: TrainingTask): Promise<TrainingRow[]> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("WebGPU finds no adapter here");
  const [own, tfjs, jax] = TRAINERS;
  return await measureTraining(
    [
      { name: own, open: openWebgpuConv },
      { name: tfjs, open: (...given) => openTfjs(adapter, ...given) },
      { name: jax, open: openJax },
    ],
    task,
    (what) => console.debug(what),
  );
}
