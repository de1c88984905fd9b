/** Normalisations on tensors: their options, and their steps on a tape. */
import type { Activation } from "../../../calls/options.js";
import { require, show } from "../../../base/errors.js";
import { type ActivationSpec, readActivation } from "../../../problem/activation.js";
import type { Layout } from "../../../problem/layout.js";
import { requireSameShape } from "../../../problem/shapes.js";
import { requireTensor, type Tensor } from "../../../tensor/tensor.js";
import { requireDType, runOperation, showShape, specOf } from "../../core/operation.js";
import { recordStep, tapeOf } from "../../tape/step.js";
import { normGradientOperation } from "./backward.js";
import { normOperation } from "./forward.js";
import type { Norm, NormGradients } from "./norm.js";
import type { NormShape } from "./normShape.js";

/** Options of every normalisation. */
export interface NormOptions {
  /** Multiplies what was normalised: float32, a value a channel. None when absent. */
  readonly weight?: Tensor | undefined;
  /** Added then: float32, a value a channel. None when absent. */
  readonly bias?: Tensor | undefined;
  /** Added to the variance, 1e-5 when absent. */
  readonly eps?: number;
  /** Added before the activation, shaped and stored as x: a skip connection. */
  readonly residual?: Tensor | undefined;
  /** Applied last, in the same pass; any of the engine's but prelu. "none" when absent. */
  readonly activation?: Exclude<Activation, { readonly name: "prelu" }>;
  /** "channels-first" when absent. */
  readonly layout?: Layout;
}

export const NORM_KEYS = { weight: 1, bias: 1, eps: 1, residual: 1, activation: 1, layout: 1 } as const;

/** Running statistics: read, or read and updated. */
export interface Running {
  readonly runningMean: Tensor;
  readonly runningVar: Tensor;
  readonly training: boolean;
  readonly momentum: number;
}

export interface NormCall {
  readonly name: string;
  readonly x: Tensor;
  readonly shape: NormShape;
  /** Shape of weight and bias. */
  readonly parameterShape: readonly number[];
  readonly options: NormOptions;
  readonly running?: Running | undefined;
}

/** Checks the options, records the pass and its step. */
export function runNorm({ name, x, shape, parameterShape, options, running }: NormCall): Tensor {
  const { weight, bias, residual, eps = 1e-5 } = options;
  const spec = specOf(x, "x");
  requirePositive("eps", eps);
  for (const [parameter, tensor] of Object.entries({ weight, bias })) {
    if (tensor !== undefined) requireParameter(parameter, tensor, parameterShape);
  }
  if (residual !== undefined) {
    requireTensor("residual", residual);
    requireSameShape("residual", residual.shape, x.shape, "x's");
    requireDType("residual", residual, spec.dtype, "x");
  }
  const norm: Norm = {
    name,
    shape,
    x: spec,
    parameterShape,
    parts: { weight: weight !== undefined, bias: bias !== undefined, residual: residual !== undefined },
    activation: readFused(options.activation),
    eps,
    statistics: running ? (running.training ? "updated" : "running") : "own",
    momentum: running?.momentum ?? 0,
  };
  const inputs = present({ x, weight, bias, residual });
  const read = running ? { runningMean: running.runningMean, runningVar: running.runningVar } : {};
  const [y, ...made] = runOperation(normOperation(norm), { ...inputs, ...read });
  recordStep({
    name,
    inputs: Object.values(inputs),
    outputs: [y],
    saved: [...Object.values(inputs), ...(norm.statistics === "running" ? Object.values(read) : made)],
    backward: ([dy], needed) => (dy ? gradientsOf(norm, { inputs, read, made, dy }, needed) : []),
  });
  // A tape gives them back when it is done with them.
  if (!tapeOf(x)) for (const tensor of made) tensor.dispose();
  return y;
}

interface Backward {
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Running statistics. */
  readonly read: Readonly<Record<string, Tensor>>;
  /** Those of the values. */
  readonly made: readonly Tensor[];
  readonly dy: Tensor;
}

function gradientsOf(norm: Norm, { inputs, read, made, dy }: Backward, needed: readonly boolean[]) {
  const names = Object.keys(inputs);
  const needs = (name: string): boolean => needed[names.indexOf(name)] ?? false;
  const isPlain = norm.activation.name === "none";
  const wanted: NormGradients = {
    dx: needs("x"),
    weightGradient: needs("weight"),
    biasGradient: needs("bias"),
    residualGradient: needs("residual") && !isPlain,
  };
  const operation = normGradientOperation(norm, wanted);
  const statistics = norm.statistics === "running" ? read : { statistics: made[0] };
  const isIdle = Object.keys(operation.results).length === 0;
  const results = isIdle ? [] : runOperation(operation, { ...inputs, dy, ...statistics });
  const named = new Map(Object.keys(operation.results).map((result, i) => [result, results[i]]));
  const byInput: Readonly<Record<string, Tensor | undefined>> = {
    x: named.get("dx"),
    weight: named.get("weightGradient"),
    bias: named.get("biasGradient"),
    residual: needs("residual") && isPlain ? dy : named.get("residualGradient"),
  };
  return names.map((name) => byInput[name]);
}

/** Without what is undefined. */
const present = (tensors: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).flatMap(([name, tensor]) => (tensor ? [[name, tensor]] : [])));

/** Throws unless it is a float32 tensor of that shape. */
export function requireParameter(name: string, tensor: Tensor, shape: readonly number[]): void {
  requireTensor(name, tensor);
  const isFit = tensor.shape.length === shape.length && tensor.shape.every((extent, i) => extent === shape[i]);
  require(isFit, () => `${name} has shape ${showShape(tensor.shape)}; expected ${showShape(shape)}`);
  require(tensor.dtype === "float32", () => {
    return `${name} is ${tensor.dtype}; expected float32, whatever x is: parameters and statistics of normalisations are`;
  });
}

export function requirePositive(name: string, value: number): void {
  require(Number.isFinite(value) && value >= 0, () => `${name} is ${show(value)}; expected a number of at least 0`);
}

function readFused(activation: NormOptions["activation"]): ActivationSpec {
  const spec = readActivation(activation);
  require(spec.name !== "prelu", () => {
    return `activation is "prelu"; expected one without slopes: engine.activate(y, { name: "prelu", slope }) applies it afterwards`;
  });
  return spec;
}
