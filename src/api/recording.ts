/** What comes of operations that are recorded and not run at once. */
import type { Sequence } from "../backend/backend.js";
import { DISPOSE } from "../base/dispose.js";
import { ArgumentError, require, show } from "../base/errors.js";
import type { GPUCommandEncoder } from "../base/webgpuTypes.js";
import type { Lifetimes } from "../tensor/lifetimes.js";
import type { Tensor } from "../tensor/tensor.js";
import type { EngineCore } from "./engineCore.js";

/** Operations that were written into a caller's encoder. */
export interface Encoded<Result> {
  /** What the recording returned. */
  readonly result: Result;
  /**
   * To be called once the encoder was submitted (or given up): results may be used from then on, and memory that
   * was disposed of in the meantime may be used again.
   */
  readonly submitted: () => void;
}

/**
 * A fixed sequence of operations, to be run again and again: planned, bound and compiled once, so that a run costs the
 * host little more than telling the device. `engine.compile` makes it.
 */
export class Compiled<Result> implements Disposable {
  /** What the recording returned. Tensors in it hold the values of the last {@link run}. */
  readonly result: Result;
  readonly #sequence: Sequence;

  /** `engine.compile` makes it. */
  constructor(result: Result, sequence: Sequence) {
    require(typeof (sequence as Partial<Sequence> | undefined)?.run === "function", () => {
      return "a sequence was constructed; expected engine.compile(record)";
    });
    this.result = result;
    this.#sequence = sequence;
  }

  /** Kernels that a run starts at most: weights are packed again only when they changed. */
  get dispatches(): number {
    return this.#sequence.dispatches;
  }

  /**
   * Records all operations once more, after everything recorded so far; returns at once. They read what the tensors they
   * were recorded with hold by then, and write over the results of the last run.
   *
   * @throws TensorError when the sequence, a tensor it reads or one of its results was disposed of.
   */
  run(): void {
    this.#sequence.run();
  }

  /** Gives the memory between the operations back. Results stay the caller's. Twice is harmless. */
  dispose(): void {
    this.#sequence.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }
}

/** Calls a recording and keeps what it returns. */
export class Recording<Result> {
  readonly #record: () => Result;
  readonly #results: Result[] = [];
  readonly #lifetimes: Lifetimes;

  constructor(record: () => Result, lifetimes: Lifetimes) {
    require(typeof record === "function", () => {
      return `record is ${show(record)}; expected a function that calls operations`;
    });
    this.#record = record;
    this.#lifetimes = lifetimes;
  }

  readonly call = (): void => {
    const result = this.#lifetimes.attempt(this.#record, (returned) => !isPromise(returned));
    requireRun("the recording", result);
    this.#results.push(result);
  };

  /** Whether a call has returned. */
  readonly isDone = (): boolean => this.#results.length > 0;

  /** What the last call returned. */
  get result(): Result {
    return this.#results[this.#results.length - 1];
  }
}

function isPromise(result: unknown): result is PromiseLike<unknown> {
  return typeof result === "object" && result !== null && "then" in result && typeof result.then === "function";
}

/**
 * Throws where a function has not run all of its operations by the time it returned: an async one, or a generator. A rejection of
 * its promise is left out: the error thrown here says more.
 *
 * @param what the function is called, in the message
 * @param result what it returned
 */
export function requireRun(what: string, result: unknown): void {
  if (isPromise(result)) {
    Promise.resolve(result).catch(() => undefined);
    throw new ArgumentError(
      `${what} returned a promise; expected a function that calls operations and waits for nothing`,
    );
  }
  require(!Object.prototype.toString.call(result).includes("Generator"), () => {
    return `${what} is a generator, of which nothing has run; expected a function that calls operations`;
  });
}

/** Records into a caller's encoder. */
export async function encodeRecording<Result>(
  core: EngineCore,
  encoder: GPUCommandEncoder,
  record: () => Result,
): Promise<Encoded<Result>> {
  const recording = new Recording(record, core.lifetimes);
  const { lifetimes, waits } = core;
  const interop = core.requireGpu("encode");
  const submitted = await lifetimes.tentatively(async (scope) => {
    return await waits.on(interop.encode(encoder, () => lifetimes.within(scope, recording.call)));
  }, recording.isDone);
  return { result: recording.result, submitted };
}

/** Records a sequence, and keeps the tensors that it works on from being collected while it may run. */
export async function compileSequence<Result>(core: EngineCore, record: () => Result): Promise<Compiled<Result>> {
  const recording = new Recording(record, core.lifetimes);
  const operands = new Set<Tensor>();
  const { lifetimes, waits } = core;
  const interop = core.requireGpu("compile");
  const sequence = await lifetimes.tentatively(async (scope) => {
    const record = (): void => {
      core.operands = operands;
      try {
        lifetimes.within(scope, recording.call);
      } finally {
        core.operands = undefined;
      }
    };
    return await waits.on(interop.compile(record));
  }, recording.isDone);
  const compiled = new Compiled(recording.result, sequence);
  core.operandsOf.set(compiled, operands);
  return compiled;
}
