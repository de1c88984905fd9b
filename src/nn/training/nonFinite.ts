/** Finds where infinities and NaN begin. */
import { Context } from "../../api/context.js";
import type { Engine } from "../../api/engine.js";
import { requireRun } from "../../api/recording.js";
import { require, show } from "../../base/errors.js";
import type { Call, Run } from "../../calls/calls.js";
import { Scope } from "../../tensor/lifetimes.js";
import type { Tensor } from "../../tensor/tensor.js";
import { coreOf } from "../core/operation.js";
import { runRecorded, type Shapes } from "../tape/convolutionSteps.js";
import { LayerTape } from "../tape/layerTape.js";
import type { Step } from "../tape/step.js";

/** The first values that are not finite, in the order of computing. */
export interface NonFinite {
  /** The path of the layer; empty outside layers. */
  readonly layer: string;
  /** "convolution", "batchNorm". */
  readonly operation: string;
  readonly shape: readonly number[];
  readonly nan: number;
  readonly infinite: number;
}

/** Keeps everything that is computed. */
class KeepingTape extends LayerTape {
  readonly isRecomputing = true;
  readonly made: (Pick<NonFinite, "layer" | "operation"> & { readonly tensor: Tensor })[] = [];
  readonly #context: Context;

  constructor(context: Context) {
    super();
    this.#context = context;
  }

  runCall(call: Call, shapes: Shapes, run: Run): Tensor[] {
    return runRecorded(call, shapes, run, (step) => this.record(step));
  }

  record({ name, outputs }: Step): void {
    for (const tensor of outputs) {
      // What was computed may be disposed of by the code that computed it.
      this.made.push({ layer: this.path, operation: name, tensor: this.#context.view(tensor, tensor.shape) });
    }
  }
}

/**
 * Calls `compute` and looks at everything that it computes, in order.
 *
 * @returns the first that has an infinity or a NaN; undefined where all values are finite
 */
export async function findNonFinite(engine: Engine, compute: () => unknown): Promise<NonFinite | undefined> {
  const core = coreOf(engine);
  require(typeof compute === "function", () =>
    `compute is ${show(compute)}; expected a function that calls operations`);
  require(!core.tape, () => "a tape records on this engine; expected to look for NaN before it, or after");
  const { lifetimes } = core;
  const scope = new Scope(undefined);
  const tape = new KeepingTape(new Context(core, scope));
  try {
    core.tape = tape;
    try {
      requireRun("compute", lifetimes.within(scope, compute));
    } finally {
      core.tape = undefined;
    }
    for (const { tensor, layer, operation } of tape.made) {
      const { nan, infinite } = await engine.check(tensor);
      if (nan + infinite > 0) return { layer, operation, shape: tensor.shape, nan, infinite };
    }
    return undefined;
  } finally {
    lifetimes.close(scope);
  }
}
