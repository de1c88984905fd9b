/** Convolutions, transposed convolutions and activations on a tape: the engine's own calls, and their gradients. */
import { ArgumentError } from "../../base/errors.js";
import { activateResult, beforeActivation, slopesBefore } from "../../calls/activations.js";
import { biasProblem } from "../../calls/biasProblem.js";
import { type Call, makeCall, plainOperation, type RoleTensors, type Run, runOne } from "../../calls/calls.js";
import { derivativeSource, NO_ACTIVATION } from "../../problem/activation.js";
import type { DType } from "../../problem/dtype.js";
import {
  type ConvOperation,
  type Direction,
  isFusedMask,
  operandRoles,
  type TensorRole,
} from "../../problem/operation.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Gradient, Step } from "./step.js";

/** Shapes of results, where they are not the problem's. */
export type Shapes = readonly (readonly number[])[] | undefined;

/** What takes the steps. */
type Recorder = (step: Step) => void;

/** Runs a call of the engine's and records it. */
export function runRecorded(call: Call, shapes: Shapes, run: Run, record: Recorder): Tensor[] {
  const { operation, operands } = call;
  const { direction, activation, problem } = operation;
  const isLayer = direction === "forward" || direction === "inputGradient";
  if (isLayer && activation.name !== "none" && derivativeSource(activation) === "preActivation") {
    // The derivative needs what the activation was applied to: a pass of its own keeps it.
    const { slopes, ...others } = operands;
    const plain = { ...call, operation: { ...operation, activation: NO_ACTIVATION }, operands: others };
    const [z] = runRecorded(plain, shapes, run, record);
    return [activateResult((one, own) => runRecorded(one, own, run, record), z, activation, slopes, problem)];
  }
  const results = run(call, shapes);
  record(stepOf(call, results, run));
  return results;
}

function stepOf(call: Call, results: Tensor[], run: Run): Step {
  const { operation, operands } = call;
  switch (operation.direction) {
    case "forward":
    case "inputGradient":
      if (!operation.masked) return layerStep(operation, operands, results[0], run);
      break;
    case "activation":
      return activationStep(operation, operands, results[0], run);
  }
  return opaqueStep(operation, operands, results);
}

/** A gradient among what is recorded. Nothing flows back through it. */
function opaqueStep({ direction }: ConvOperation, operands: RoleTensors, outputs: Tensor[]): Step {
  return {
    name: direction,
    inputs: Object.values(operands),
    outputs,
    saved: [],
    backward() {
      throw new ArgumentError(
        `a gradient was asked for through a call of a ${direction}, which has none of its own; expected convolutions and operations`,
      );
    },
  };
}

/** Tensors of a step by role, in order. */
function inputsOf(operation: ConvOperation, operands: RoleTensors): readonly [TensorRole, Tensor][] {
  return operandRoles(operation).flatMap((role) => {
    const tensor = operands[role];
    return tensor ? [[role, tensor] as [TensorRole, Tensor]] : [];
  });
}

/** What a gradient's kernels read of the layer's result. */
interface Upstream {
  readonly y: Tensor;
  /** Masks y where it is not positive. */
  readonly activated?: Tensor;
}

function layerStep(operation: ConvOperation, operands: RoleTensors, result: Tensor, run: Run): Step {
  const inputs = inputsOf(operation, operands);
  const { activation } = operation;
  const { x, y, w } = operands;
  const saved = [x ?? y, w, activation.name === "none" ? undefined : result].flatMap((tensor) => tensor ?? []);
  return {
    name: operation.direction === "forward" ? "convolution" : "transposed convolution",
    inputs: inputs.map(([, tensor]) => tensor),
    outputs: [result],
    saved,
    backward([dy], needed) {
      if (!dy) return [];
      const wanted = new Set(inputs.filter((_, i) => needed[i]).map(([role]) => role));
      const mayFuse = isFusedMask(activation) && operation.direction === "forward" && !wanted.has("residual");
      const isPlain = activation.name === "none";
      const before =
        isPlain || mayFuse ? dy : beforeActivation(run, dy, { activation, source: result, slopes: undefined });
      const upstream = mayFuse ? { y: dy, activated: result } : { y: before };
      const gradients =
        operation.direction === "forward"
          ? ofConvolution(operation, operands, upstream, wanted, run)
          : ofTransposed(operation, operands, before, wanted, run);
      if (wanted.has("residual")) gradients.residual = before;
      else if (before !== dy) before.dispose();
      return inputs.map(([role]) => gradients[role]);
    },
  };
}

type ByRole = Partial<Record<TensorRole, Gradient>>;

/** Of a convolution: its input gradient, and its weight gradient with the bias gradient inside. */
function ofConvolution(
  operation: ConvOperation,
  { x, w, bias }: RoleTensors,
  upstream: Upstream,
  wanted: ReadonlySet<TensorRole>,
  run: Run,
): ByRole {
  const { problem, dtype } = operation;
  const gradients: ByRole = {};
  const masked = upstream.activated !== undefined;
  const pass = (direction: Direction, more: RoleTensors, extra: Partial<ConvOperation> = {}): Call => {
    const own = { ...plainOperation(direction, problem, { dtype }), masked, ...extra };
    return makeCall(own, { ...upstream, ...more }, NAMES, {});
  };
  if (x && w && wanted.has("x")) gradients.x = runOne(run, pass("inputGradient", { w }), x.shape);
  if (x && w && wanted.has("w")) {
    const withBias = bias !== undefined && wanted.has("bias");
    const call = pass("weightGradient", { x }, { bias: withBias, pixels: operation.pixels });
    [gradients.w, gradients.bias] = run(call, [w.shape, ...(withBias ? [bias.shape] : [])]);
  } else if (bias && wanted.has("bias")) gradients.bias = runOne(run, pass("biasGradient", {}), bias.shape);
  return gradients;
}

/** Of a transposed convolution: the forward pass of the convolution behind it, and that one's weight gradient. */
function ofTransposed(
  { problem, dtype }: ConvOperation,
  { y, w, bias }: RoleTensors,
  dz: Tensor,
  wanted: ReadonlySet<TensorRole>,
  run: Run,
): ByRole {
  const gradients: ByRole = {};
  const pass = (direction: Direction, operands: RoleTensors): Call =>
    makeCall(plainOperation(direction, problem, { dtype }), operands, NAMES, {});
  if (y && w && wanted.has("y")) gradients.y = runOne(run, pass("forward", { x: dz, w }), y.shape);
  if (y && w && wanted.has("w")) gradients.w = runOne(run, pass("weightGradient", { x: dz, y }), w.shape);
  if (bias && wanted.has("bias")) gradients.bias = runOne(run, biasCall(problem, dz, dtype), bias.shape);
  return gradients;
}

function biasCall({ rank, layout }: ConvOperation["problem"], dy: Tensor, dtype: DType): Call {
  const operation = plainOperation("biasGradient", biasProblem(rank, dy.shape, { layout }), { dtype });
  return makeCall(operation, { y: dy }, NAMES, {});
}

const NAMES = { y: "dy", activated: "output" };

function activationStep(
  { activation, problem }: ConvOperation,
  { x, slopes }: RoleTensors,
  result: Tensor,
  run: Run,
): Step {
  if (!x) throw new Error("an activation has no operand");
  const source = derivativeSource(activation) === "output" ? result : x;
  return {
    name: activation.name,
    inputs: slopes ? [x, slopes] : [x],
    outputs: [result],
    saved: slopes ? [source, slopes] : [source],
    backward([dy], [needsInput, needsSlopes]) {
      if (!dy) return [];
      const dx = needsInput ? beforeActivation(run, dy, { activation, source, slopes }, problem) : undefined;
      return [dx, needsSlopes ? slopesBefore(run, dy, source, activation, problem) : undefined];
    },
  };
}
