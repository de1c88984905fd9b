/** Optimizer: changes parameters by their gradients, on the device. */
import type { Context } from "../../api/context.js";
import type { Engine } from "../../api/engine.js";
import { memoryOf } from "../../backend/backend.js";
import { DISPOSE } from "../../base/dispose.js";
import { require, show } from "../../base/errors.js";
import { requireFinite, requireNumber } from "../../base/numbers.js";
import type { TensorOperation } from "../../planning/tensorOperation.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf, coreOf, runOperation, specOf } from "../core/operation.js";
import { requireNoTape } from "../tape/step.js";
import type { Tensors } from "../tape/tape.js";
import { type Bank, inBanks } from "./banks.js";
import type { Settings } from "./options.js";
import { gradientsOf, namedTensors, requireApart, selectNames } from "./parameters.js";
import { PROGRESS } from "./rule.js";
import { type OptimizerState, readState, stateOf } from "./state.js";
import { gradientName, parameterName, stateName, stepOperation } from "./stepOperation.js";

/** How far an optimizer is. */
export interface OptimizerProgress {
  /** Steps that were done, without those that were left out. */
  readonly steps: number;
  /** Steps that were left out, since their gradients were not finite (`skipNonFinite`). */
  readonly skipped: number;
  /** The norm of the last step's gradients before they were clipped; 0 without `clipNorm` and `skipNonFinite`. */
  readonly norm: number;
}

/**
 * Changes parameters in place by their gradients: `sgd`, `adam` and `adamw` make it. It owns the state that it keeps of them
 * ({@link tensors}); the parameters stay the caller's.
 *
 * Step count and learning rate are on the device, so that {@link step} may be recorded once by `engine.compile` and replayed.
 */
export class Optimizer implements Disposable {
  readonly name: "sgd" | "adam" | "adamw";
  /** What it changes, by name; without frozen parameters. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** Its own memory on the device; with the parameters, what `engine.snapshot` should keep for a lost device. */
  readonly tensors: readonly Tensor[];
  readonly #context: Context;
  readonly #frozen: ReadonlySet<string>;
  readonly #banks: readonly Bank[];
  readonly #operation: TensorOperation;
  readonly #rates: Tensor;
  readonly #progress: Tensor;
  readonly #states: readonly Tensor[];
  #lr: number;
  #gradientScale = 1;

  /** Use `sgd`, `adam` or `adamw`. */
  constructor(engine: Engine, parameters: Tensors, { rule, lr, weightDecay, frozen, undecayed }: Settings) {
    const core = coreOf(engine);
    const all = namedTensors("parameters", parameters);
    const names = all.map(([name]) => name);
    requireApart(core, "parameters", all);
    const still = selectNames("frozen", frozen, names);
    const plain = selectNames("undecayed", undecayed, names);
    const changed = all.filter(([name]) => !still.has(name));
    require(changed.length > 0, () =>
      `frozen has all ${String(all.length)} parameters; expected one at least that is not`);
    const specs = changed.map(([name, tensor]) => {
      return { name, ...specOf(tensor, `parameters.${name}`), decay: plain.has(name) ? 0 : weightDecay };
    });
    this.name = rule.name;
    this.parameters = Object.freeze(Object.fromEntries(changed));
    this.#frozen = still;
    this.#lr = lr;
    this.#context = contextOf(changed[0][1], "parameters");
    this.#banks = inBanks(specs, rule.sections);
    this.#operation = stepOperation(rule, this.#banks);
    // A copy stays on the host, which writes them: what it set last comes back after the loss of a device.
    this.#rates = this.#upload(Float32Array.of(lr, this.#gradientScale), true);
    this.#progress = this.#upload(new Float32Array(PROGRESS.length));
    this.#states = this.#banks.map(({ size }) => this.#upload(new Float32Array(size)));
    this.tensors = [this.#rates, this.#progress, ...this.#states];
  }

  /** The learning rate. Setting it takes effect with what is recorded, or run, afterwards; not while a sequence is recorded. */
  get lr(): number {
    return this.#lr;
  }

  set lr(lr: number) {
    requireNumber("lr", lr);
    this.#writeRates("lr", lr, this.#gradientScale);
  }

  /**
   * What every gradient is multiplied by, before all else: 1 / n for the mean of n accumulated gradients, 1 / scale where the loss was
   * scaled. 1 at first; set like {@link lr}.
   */
  get gradientScale(): number {
    return this.#gradientScale;
  }

  set gradientScale(scale: number) {
    requireFinite("gradientScale", scale);
    this.#writeRates("gradientScale", this.#lr, scale);
  }

  /**
   * Records a step: parameters and state change in place. Nothing is read back, and nothing waits.
   *
   * @param gradients of all parameters but frozen ones, by the same names or in a list in the same order, with the parameters' shapes
   *   and types. They stay as they are, and the caller's.
   * @throws ArgumentError for gradients that are missing or of no parameter, and while a tape records.
   */
  step(gradients: Tensors): void {
    const core = this.#requireLive();
    requireNoTape("step", this.#progress);
    const parameters = new Map(Object.entries(this.parameters));
    const given = gradientsOf(parameters, gradients, this.#frozen);
    const own = requireApart(core, "parameters", [...parameters]);
    const operands: Record<string, Tensor> = { rates: this.#rates, progress: this.#progress };
    const names: Record<string, string> = {};
    for (const [i, state] of this.#states.entries()) if (state.size > 0) operands[stateName(i)] = state;
    for (const [i, [name, parameter]] of [...parameters].entries()) {
      const [full, gradient] = given[i];
      const of = own.get(memoryOf(gradient.storage(core, full)));
      require(of === undefined, () => {
        return `${full} shares its memory with parameters.${String(of)}; expected memory of its own`;
      });
      operands[parameterName(i)] = parameter;
      operands[gradientName(i)] = gradient;
      names[parameterName(i)] = `parameters.${name}`;
      names[gradientName(i)] = full;
    }
    runOperation(this.#operation, operands, names);
  }

  /** Reads how far it is, after everything recorded so far. */
  async progress(): Promise<OptimizerProgress> {
    this.#requireLive();
    const [steps, skipped, norm] = await this.#progress.data();
    return { steps, skipped, norm };
  }

  /**
   * A copy of all that it keeps, for a checkpoint: a run that {@link load}s it, with the same parameters, goes on bit for bit.
   *
   * @returns tensors by name, which are the caller's to dispose of, and plain data
   */
  state(): OptimizerState {
    this.#requireLive();
    const { name, lr, gradientScale } = this;
    return { name, lr, gradientScale, tensors: stateOf(this.#progress, this.#states, this.#banks) };
  }

  /**
   * Takes over what {@link state} gave of an optimizer of the same kind, over the same names and shapes. The tensors stay the
   * caller's.
   *
   * @throws ArgumentError where the state is another kind's, or lacks tensors, or has others; TensorError for tensors that were
   *   disposed of, or are another engine's. Nothing has changed then.
   */
  load(state: OptimizerState): void {
    this.#requireLive();
    require(typeof state === "object" && (state as unknown) !== null && state.name === this.name, () => {
      return `state is of ${show((state as Partial<OptimizerState> | null)?.name)}; expected that of ${this.name}`;
    });
    const { lr, gradientScale } = state;
    requireNumber("state.lr", lr);
    requireFinite("state.gradientScale", gradientScale);
    const write = readState(state, this.#progress, this.#states, this.#banks);
    this.#writeRates("state", lr, gradientScale);
    write();
  }

  /** Gives the state back. Parameters stay the caller's. Twice is harmless. */
  dispose(): void {
    for (const tensor of this.tensors) tensor.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }

  #requireLive(): ReturnType<Context["requireLive"]> {
    require(!this.#progress.disposed, () => `the optimizer (${this.name}) was disposed of; expected a live one`);
    return this.#context.requireLive();
  }

  #writeRates(what: string, lr: number, gradientScale: number): void {
    const { backend, operands } = this.#requireLive();
    if (lr === this.#lr && gradientScale === this.#gradientScale) return;
    require(operands === undefined, () => {
      return `${what} was set while a sequence is recorded; expected it between runs: the sequence reads it from the device`;
    });
    this.#lr = lr;
    this.#gradientScale = gradientScale;
    const written = backend.write(this.#context.storageOf(this.#rates), Float32Array.of(lr, gradientScale));
    written.catch((error: unknown) => backend.report(error as Error));
  }

  #upload(values: Float32Array<ArrayBuffer>, keep = false): Tensor {
    const shape = [values.length];
    return this.#context.adopt(shape, this.#context.core.backend.upload(values, shape, "float32", keep));
  }
}
