/** Networks from files, as modules. */
import type { Engine } from "../../api/engine.js";
import type { Graph } from "../../io/graph.js";
import { compileForward } from "../recorded/compileForward.js";
import { type LoadedModel, type LoadModelOptions, makeModel } from "./model.js";
import type { AllRunners } from "./runners/runner.js";
import { RUNNERS as ARITHMETIC } from "./runners/arithmetic.js";
import { RUNNERS as JOINING } from "./runners/joining.js";
import { RUNNERS as MEANS } from "./runners/means.js";
import { RUNNERS as NORMS } from "./runners/norms.js";
import { RUNNERS as POOLING } from "./runners/pooling.js";
import { RUNNERS as REARRANGING } from "./runners/rearranging.js";
import { RUNNERS as RESIZING } from "./runners/resizing.js";
import { RUNNERS as RESIZING_AXES } from "./runners/resizingAxes.js";
import { simplify } from "./simplify.js";

/**
 * Makes a network of a graph that a file has: `readLayersModel` of `webgpu-conv/io` reads one. Operations that can be one pass are. It
 * takes any size, is in evaluation mode at first, and can be trained, explained and saved as every other module.
 *
 * ```ts
 * const model = loadModel(engine, await readLayersModel(json, (path) => file(path)));
 * const y = model.forward(x);
 * ```
 *
 * @returns a module whose tensors are the caller's to dispose of, by `disposeModule`
 */
export function loadModel(engine: Engine, graph: Graph, options: LoadModelOptions = {}): LoadedModel {
  const runners: AllRunners = {
    ...ARITHMETIC,
    ...JOINING,
    ...MEANS,
    ...NORMS,
    ...POOLING,
    ...REARRANGING,
    ...RESIZING,
    ...RESIZING_AXES,
  };
  return makeModel(engine, graph, options, {
    runners,
    simplify,
    compileForward: () => Promise.resolve(compileForward),
  });
}
