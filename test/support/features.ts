/**
 * What a test covers: the features of every convolution that it ran and whose result it read back, with the device it
 * ran on. From this docs/coverage.md is made (test/run/coverageTable.ts), for tests that passed.
 */
import type { AdapterDescription, ConvOptions, Engine, ForwardOptions, NumberList, TransposedSize } from "webgpu-conv";
import { Tensor } from "webgpu-conv";

/** Attached to a test's task, from where vitest's reporters have it. */
export interface TestCoverage {
  /** Runtime, driver, and how it computes float16. */
  readonly device: string;
  /** Each `operation|variant|feature`: see {@link cellsOf}. */
  readonly cells: readonly string[];
}

declare module "vitest" {
  interface TaskMeta {
    coverage?: TestCoverage;
  }
}

const OPERATION =
  /^(conv|convTranspose|locallyConnected)([123])d(|InputGradient|WeightGradient|BiasGradient|Backward)$/;
/** What the results of `Backward` are, but for a prelu's slope gradient, which has no method of a layer to its own. */
const GRADIENTS = { input: "InputGradient", weight: "WeightGradient", bias: "BiasGradient" } as const;

type Options = ForwardOptions & TransposedSize;

/** One call of a convolution method. */
interface Call {
  readonly family: string;
  readonly rank: string;
  readonly pass: string;
  readonly tensors: readonly Tensor[];
  /** Shape of the layer's input; undefined where the call does not have it. */
  readonly input: readonly number[] | undefined;
  readonly options: Options;
}

function readCall(name: string, parameters: readonly unknown[]): Call | undefined {
  const match = OPERATION.exec(name);
  if (!match) return undefined;
  const [, family, rank, pass] = match;
  const tensors = parameters.filter((value) => value instanceof Tensor);
  const isList = (value: unknown): value is readonly number[] => Array.isArray(value) || ArrayBuffer.isView(value);
  const shapes = parameters.filter(isList);
  const rest = parameters.filter((value) => !(value instanceof Tensor) && !isList(value));
  const inputs: Readonly<Record<string, readonly number[] | undefined>> = {
    "": tensors.at(0)?.shape,
    InputGradient: shapes.at(0),
    WeightGradient: tensors.at(1)?.shape,
    Backward: tensors.at(1)?.shape,
  };
  return { family, rank, pass, tensors, input: inputs[pass], options: rest.at(0) ?? {} };
}

const exceeds = (values: ConvOptions["stride"], least: number): boolean =>
  values !== undefined && Math.max(...(typeof values === "number" ? [values] : Array.from(values))) > least;

function paddingFeatures({ padding, paddingMode }: Options): string[] {
  const modes = paddingMode === undefined || paddingMode === "zeros" ? [] : [`padding mode ${paddingMode}`];
  if (typeof padding === "string") return [...modes, `padding "${padding}"`];
  if (padding === undefined) return modes;
  const sides = (typeof padding === "number" ? [padding] : Array.from<number | NumberList>(padding)).map((axis) =>
    typeof axis === "number" ? [axis, axis] : Array.from(axis),
  );
  return [
    ...modes,
    ...(sides.some(([begin, end]) => Math.max(begin, end) > 0) ? ["padding"] : []),
    ...(sides.some(([begin, end]) => begin !== end) ? ["padding that differs from side to side"] : []),
    ...(sides.some((pair) => Math.min(...pair) < 0) ? ["negative padding (cropping)"] : []),
  ];
}

function channelFeatures({ input, rank, options: { groups = 1, layout } }: Call): string[] {
  if (!(groups > 1)) return [];
  const channels = input?.[input.length - 1 - (layout === "channels-last" ? 0 : Number(rank))];
  return channels === groups ? ["groups", "depthwise"] : ["groups"];
}

function fusedFeatures({ bias, residual, activation }: Options): string[] {
  const name = typeof activation === "object" ? activation.name : activation;
  return [
    ...(bias ? ["bias"] : []),
    ...(residual ? ["residual"] : []),
    ...(name === undefined || name === "none" ? [] : [`activation ${name}`]),
  ];
}

/** The features of a call; "any" is one of every call. */
function featuresOf(call: Call): string[] {
  const { stride, dilation, weightLayout, outputPadding, outputSize, solver } = call.options;
  const solverName = typeof solver === "object" ? solver.name : solver;
  return [
    "any",
    ...(call.tensors[0].shape[0] > 1 ? ["several images"] : []),
    ...(exceeds(stride, 1) ? ["stride"] : []),
    ...(exceeds(dilation, 1) ? ["dilation"] : []),
    ...(exceeds(stride, 1) && exceeds(dilation, 1) ? ["stride with dilation"] : []),
    ...channelFeatures(call),
    ...paddingFeatures(call.options),
    ...(exceeds(outputPadding, 0) ? ["output padding"] : []),
    ...(outputSize ? ["output size"] : []),
    // By the names that they have in 2D.
    ...(weightLayout ? [`weight layout ${weightLayout.replace(/D?H?W/, "HW")}`] : []),
    ...fusedFeatures(call.options),
    ...(solverName === undefined ? ["solver of the engine's choice"] : [`solver ${solverName}`]),
  ];
}

/** `operation|variant|feature` for each feature: "convNdInputGradient|2D float16 channels-last|stride". */
function cellsOf(call: Call, pass: string): string[] {
  const { family, rank, tensors, options } = call;
  const variant = `${rank}D ${tensors[0].dtype} ${options.layout ?? "channels-first"}`;
  return featuresOf(call).map((feature) => `${family}Nd${pass}|${variant}|${feature}`);
}

function describeRuntime(): string {
  if ("Deno" in globalThis) return "Deno (wgpu)";
  if (!("document" in globalThis)) return "Node (Dawn)";
  return navigator.userAgent.includes("Firefox") ? "Firefox (wgpu)" : "Chromium (Dawn)";
}

function describeDevice({ description, features }: AdapterDescription): string {
  const known = { SwiftShader: /swiftshader/i, lavapipe: /llvmpipe|lavapipe/i };
  const driver = Object.entries(known).find(([, pattern]) => pattern.test(description))?.[0] ?? description;
  const half = features.includes("shader-f16") ? "float16 in the shader" : "float16 as packed pairs";
  return `${describeRuntime()} on ${driver}, ${half}`;
}

/** Sees what is asked of an engine. */
export class FeatureRecorder {
  readonly #cells = new Set<string>();
  readonly #device: string;
  /** The engine, to be used in its own place. */
  readonly engine: Engine;
  /** The engine itself, where one is asked for that no proxy stands for. */
  readonly bare: Engine;

  constructor(engine: Engine) {
    this.bare = engine;
    this.#device = describeDevice(engine.adapter);
    this.engine = new Proxy(engine, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        return (...parameters: unknown[]): unknown => {
          const result: unknown = Reflect.apply(value, target, parameters);
          this.#watch(readCall(String(property), parameters), result);
          return result;
        };
      },
    });
  }

  /** What was covered since last taken. */
  take(): TestCoverage {
    const cells = [...this.#cells].sort();
    this.#cells.clear();
    return { device: this.#device, cells };
  }

  /** Reading a result counts, making it does not. */
  #watch(call: Call | undefined, result: unknown): void {
    if (!call) return;
    const results = call.pass === "Backward" ? Object.entries(result as Record<keyof typeof GRADIENTS, Tensor>) : [];
    for (const [name, tensor] of results) {
      if (name in GRADIENTS) this.#noteReads(tensor, cellsOf(call, GRADIENTS[name as keyof typeof GRADIENTS]));
    }
    if (result instanceof Tensor) this.#noteReads(result, cellsOf(call, call.pass));
  }

  #noteReads(tensor: Tensor, cells: readonly string[]): void {
    const read = tensor.data.bind(tensor);
    const value = async (): ReturnType<Tensor["data"]> => {
      for (const cell of cells) this.#cells.add(cell);
      return await read();
    };
    Object.defineProperty(tensor, "data", { value });
  }
}
