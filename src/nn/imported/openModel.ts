/** Networks from files, with no more code than they need. */
import type { Engine } from "../../api/engine.js";
import { loadLazily } from "../../base/lazy.js";
import type { Graph, GraphNode } from "../../io/graph.js";
import { coreOf } from "../core/operation.js";
import { type LoadedModel, type LoadModelOptions, makeModel, requireModelOptions } from "./model.js";
import { type AllRunners, isUsual, type Runners } from "./runners/runner.js";

/** Files of runners. */
const FILES = {
  arithmetic: () => import("./runners/arithmetic.js"),
  means: () => import("./runners/means.js"),
  joining: () => import("./runners/joining.js"),
  norms: () => import("./runners/norms.js"),
  pooling: () => import("./runners/pooling.js"),
  rearranging: () => import("./runners/rearranging.js"),
  resizing: () => import("./runners/resizing.js"),
  resizingAxes: () => import("./runners/resizingAxes.js"),
};

const FILE_OF: Readonly<Record<Exclude<keyof AllRunners, "enlarged">, keyof typeof FILES>> = {
  arithmetic: "arithmetic",
  concat: "joining",
  batchNorm: "norms",
  instanceNorm: "norms",
  pool: "pooling",
  globalPool: "pooling",
  mean: "means",
  interpolate: "resizing",
  interpolateAxes: "resizingAxes",
  pad: "rearranging",
  pixelShuffle: "rearranging",
  slice: "rearranging",
  permute: "rearranging",
  softmax: "rearranging",
  reshape: "rearranging",
};

/**
 * As `loadModel`, for pages: of the code that runs operations it loads what the graph has. A page that makes pictures larger transfers a
 * twelfth less.
 *
 * ```ts
 * const model = await openModel(engine, await readLayersModel(json, (path) => file(path)));
 * ```
 *
 * @returns a module whose tensors are the caller's to dispose of, by `disposeModule`
 * @throws DeviceError where code did not load
 */
export async function openModel(engine: Engine, graph: Graph, options: LoadModelOptions = {}): Promise<LoadedModel> {
  // Before anything is loaded.
  coreOf(engine);
  requireModelOptions(options);
  const { nodes } = graph;
  const files = new Set(nodes.flatMap(({ op }) => (isUsual(op) ? [] : [FILE_OF[op]])));
  const [simplifying, ...loaded] = await loadLazily("what runs the network", () =>
    Promise.all([
      nodes.some(mayBeSimplified) ? import("./simplify.js") : undefined,
      ...[...files].map((file) => FILES[file]()),
    ]),
  );
  const runners = loaded.reduce<Runners>((all, { RUNNERS }) => ({ ...all, ...RUNNERS }), {});
  return makeModel(engine, graph, options, {
    runners,
    ...(simplifying && { simplify: simplifying.simplify }),
    compileForward: async () =>
      (await loadLazily("what records", () => import("../recorded/compileForward.js"))).compileForward,
  });
}

/** Sums of two values are part of no other operation, however a graph is simplified. */
const mayBeSimplified = (node: GraphNode): boolean =>
  node.op === "batchNorm" ||
  (node.op === "arithmetic" && (node.how !== "add" || typeof node.a !== "string" || typeof node.b !== "string"));
