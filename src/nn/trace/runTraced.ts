/** Runs a network's code without its work. */
import { Context } from "../../api/context.js";
import type { Backend, TensorStorage } from "../../backend/backend.js";
import { require } from "../../base/errors.js";
import type { Call, Run } from "../../calls/calls.js";
import type { TensorSpec } from "../../planning/tensorOperation.js";
import { Scope } from "../../tensor/lifetimes.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf } from "../core/operation.js";
import { LayerTape } from "../tape/layerTape.js";
import { TraceBackend, type TraceWatcher } from "./traceBackend.js";

/** Runs operations on the backend that traces them. */
class TraceTape extends LayerTape {
  readonly isRecomputing = false;
  readonly #onFused: (shape: readonly number[]) => void;

  constructor(onFused: (shape: readonly number[]) => void) {
    super();
    this.#onFused = onFused;
  }

  absorb(layer: { readonly name: string }, { shape }: Tensor): void {
    this.enter(layer);
    this.#onFused(shape);
    this.leave();
  }

  runCall(call: Call, shapes: readonly (readonly number[])[] | undefined, run: Run): Tensor[] {
    return run(call, shapes);
  }

  record(): void {
    // There are no gradients.
  }
}

/** What watches a trace, and is told where it begins. */
export interface Watcher extends TraceWatcher {
  begin(input: TensorStorage, spec: TensorSpec): void;
  /** What the network returned. */
  end?(output: TensorStorage, spec: TensorSpec): void;
}

/**
 * Calls `compute` with a tensor of that shape which has no values, and tells a watcher what it would run.
 *
 * @param like a tensor of the engine
 * @param watch makes the watcher, of the engine's own backend and of what tells the path of the layer that is at work
 */
export function runTraced<Watching extends Watcher>(
  like: Tensor,
  input: TensorSpec,
  compute: (x: Tensor) => Tensor,
  watch: (backend: Backend, path: () => string) => Watching,
): Watching {
  const { core } = contextOf(like, "a parameter");
  require(!core.tape && !core.operands, () =>
    "a tape or a sequence is being recorded; expected this before it, or after");
  const { backend, lifetimes } = core;
  const tape = new TraceTape((shape) => watcher.onFused?.(shape));
  const watcher = watch(backend, () => tape.path);
  const trace = new TraceBackend(backend, watcher);
  const scope = new Scope(undefined);
  core.backend = trace.asBackend();
  core.isTracing = true;
  core.tape = tape;
  try {
    const storage = trace.input(input);
    watcher.begin(storage, input);
    lifetimes.within(scope, () => {
      const y = compute(new Context(core).adopt(input.shape, storage));
      if (watcher.end) {
        const { shape, dtype } = y;
        watcher.end(y.storage(core, "the result"), { shape, dtype: dtype === "float16" ? dtype : "float32" });
      }
    });
  } finally {
    lifetimes.close(scope);
    core.tape = undefined;
    core.backend = backend;
    core.isTracing = false;
  }
  return watcher;
}
