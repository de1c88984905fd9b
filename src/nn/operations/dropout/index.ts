/** Dropout: seeded, the same bits on every device, and new ones at each step. */
import type { Engine } from "../../../api/engine.js";
import { require, show } from "../../../base/errors.js";
import { isBelow } from "../../../base/numbers.js";
import { optionKeys, requireOptions } from "../../../base/optionKeys.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { coreOf, requireDType, runOperation, showShape, specOf } from "../../core/operation.js";
import { recordStep, tapeOf } from "../../tape/step.js";
import { reshape } from "../reshape.js";
import { advanceStepOperation } from "./advanceStep.js";
import { dropoutOperation } from "./dropout.js";
import { STATE_VALUES, stateValues } from "./state.js";

export interface DropoutOptions {
  /** The part of the elements that is dropped, from 0 to below 1; 0.5 when absent. */
  readonly p?: number;
  /** What `dropoutState` made. Needed while training. Not consumed. */
  readonly state?: Tensor;
  /** Whether anything is dropped. True when absent. */
  readonly training?: boolean;
  /**
   * Which of a step's masks: calls with the same number drop the same elements. When absent a tape numbers the calls that it records,
   * from 0 on; without a tape it is 0.
   */
  readonly draw?: number;
}

const OPTIONS = optionKeys<DropoutOptions>(
  { p: 1, state: 1, training: 1, draw: 1 },
  { number: "p", tensor: "state", boolean: "training" },
);

/**
 * A seed and a step on the device, `[6]`: what dropout draws by, 16 bits in each value. Checkpoints keep it like other tensors.
 *
 * @param seed a whole number, from 0 to 2^53 - 1
 * @param step which step is the next, from 0 to 2^32 - 1; 0 when absent
 */
export function dropoutState(engine: Engine, seed: number, step = 0): Tensor {
  coreOf(engine);
  require(isBelow(seed, Number.MAX_SAFE_INTEGER + 1), () => {
    return `seed is ${show(seed)}; expected a whole number from 0 to 2^53 - 1`;
  });
  require(isBelow(step, 2 ** 32), () => `step is ${show(step)}; expected a whole number from 0 to 2^32 - 1`);
  return engine.tensor(stateValues(seed, step), [STATE_VALUES]);
}

/**
 * Goes on to the next step, in place: to be called once in a step, before the tape runs or once it has given gradients.
 *
 * @throws ArgumentError while a tape records: layers before and after it would draw by different steps.
 */
export function advanceDropout(state: Tensor): void {
  requireState(state);
  require(tapeOf(state) === undefined, () => {
    return "advanceDropout is called while a tape records; expected it before run(compute), or after gradients";
  });
  runOperation(advanceStepOperation(), { state });
}

/**
 * Drops elements at random and scales the others, PyTorch's `dropout`: 0 with probability `p`, else `x / (1 - p)`. Element i is dropped
 * where word i of `new Random(seed, [draw, step])` is below `p * 2^32`. The mask is not stored: the gradient draws it once more.
 *
 * @returns a new tensor; without training, a view of x
 * @throws ArgumentError for a `p` or a `state` that is none.
 */
export function dropout(x: Tensor, options: DropoutOptions = {}): Tensor {
  requireOptions(options, OPTIONS);
  const { p = 0.5, training = true, state } = options;
  const spec = specOf(x, "x");
  require(p >= 0 && p < 1, () => `p is ${show(p)}; expected a number from 0 to below 1`);
  if (!training || p === 0) return reshape(x, x.shape);
  require(state !== undefined, () =>
    "dropout has no state; expected what dropoutState(engine, seed) made, as { state }");
  requireState(state);
  const draw = options.draw ?? tapeOf(x)?.draw() ?? 0;
  require(isBelow(draw, 2 ** 32), () => `draw is ${show(draw)}; expected a whole number from 0 to 2^32 - 1`);
  const operation = dropoutOperation(spec, p, draw);
  const [y, used] = runOperation(operation, { x, state });
  recordStep({
    name: "dropout",
    inputs: [x],
    outputs: [y],
    saved: [used],
    backward([dy]) {
      if (!dy) return [];
      const [dx, again] = runOperation(operation, { x: dy, state: used });
      again.dispose();
      return [dx];
    },
  });
  used.dispose();
  return y;
}

function requireState(state: Tensor): void {
  const { shape } = specOf(state, "state");
  requireDType("state", state, "float32", "dropoutState makes it");
  require(shape.length === 1 && shape[0] === STATE_VALUES, () => {
    return `state has shape ${showShape(shape)}; expected [${String(STATE_VALUES)}], what dropoutState(engine, seed) made`;
  });
}
