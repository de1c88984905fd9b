/** Forward passes for inputs of one size: recorded once and replayed. */
import type { Engine } from "../../api/engine.js";
import type { Compiled } from "../../api/recording.js";
import { DISPOSE } from "../../base/dispose.js";
import { isObject } from "../../base/entries.js";
import { require, show } from "../../base/errors.js";
import { isList } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { type DType, readDType } from "../../problem/dtype.js";
import { Tensor } from "../../tensor/tensor.js";
import type { TensorData } from "../../tensor/values.js";
import { coreOf } from "../core/operation.js";
import { type InputShapes, readInputs, withInputs } from "./inputs.js";

/** What a pass computes: a tensor, or several by name. */
export type ForwardResult = Tensor | Readonly<Record<string, Tensor>>;

export interface ForwardPassOptions<Name extends string, Result extends ForwardResult> {
  /** Shapes of what a run may get new values for, by name: `{ x: [1, 3, 224, 224] }`. */
  readonly inputs: InputShapes<Name>;
  /** Computes the result from the inputs: `({ x }) => model.forward(x)`. Called once; what it makes besides is given back. */
  readonly compute: (inputs: Readonly<Record<Name, Tensor>>) => Result;
  /** Of the inputs: "float32" when absent. */
  readonly dtype?: DType | undefined;
}
const OPTIONS = optionKeys<ForwardPassOptions<string, Tensor>>(
  { inputs: 1, compute: 1, dtype: 1 },
  { string: "dtype" },
);

/**
 * Records a network's forward pass for inputs of one size, and waits until its kernels are compiled. Nothing of it has run yet. A run then
 * costs the host a fraction of what calling the network does.
 *
 * ```ts
 * const pass = await compileForward(engine, { inputs: { x: [1, 3, 224, 224] }, compute: ({ x }) => model.forward(x) });
 * const y = await pass.run({ x: pixels });
 * console.log(await y.data());
 * ```
 *
 * Weights that change later are seen by later runs.
 *
 * @throws whatever `compute` throws; DeviceError on an engine without a GPU. What was made by then is given back.
 */
export async function compileForward<Name extends string, Result extends ForwardResult>(
  engine: Engine,
  options: ForwardPassOptions<Name, Result>,
): Promise<ForwardPass<Name, Result>> {
  coreOf(engine);
  requireOptions(options, OPTIONS);
  const { inputs, compute, dtype } = options;
  require(isObject(inputs) && !isList(inputs), () =>
    `inputs is ${show(inputs)}; expected shapes by name: { x: [1, 3, 224, 224] }`);
  require(typeof compute === "function", () => `compute is ${show(compute)}; expected a function of the inputs`);
  const make = async (made: Readonly<Record<Name, Tensor>>): Promise<ForwardPass<Name, Result>> => {
    const record = (): Result => engine.scope(() => requireResult(compute(made)));
    return new ForwardPass(engine, made, await engine.compile(record));
  };
  return await withInputs(engine, inputs, make, readDType(dtype));
}

function requireResult<Result>(result: Result): Result {
  // Promises and the like are told by who records.
  const isPromise = isObject(result) && "then" in result;
  const values = valuesOf(result);
  require(isPromise || (values.length > 0 && values.every((value) => Tensor.isTensor(value))), () => {
    return `compute returned ${show(result)}; expected a tensor, or tensors by name`;
  });
  return result;
}

const valuesOf = (result: unknown): unknown[] =>
  isObject(result) && !Tensor.isTensor(result) ? Object.values(result) : [result];

/** A forward pass, to be run again and again. {@link compileForward} makes it. */
export class ForwardPass<Name extends string, Result extends ForwardResult> implements Disposable {
  /** Tensors that it reads, by name. `engine.write` gives them new values, too. */
  readonly inputs: Readonly<Record<Name, Tensor>>;
  /** What `compute` returned. Its tensors hold the values of the last {@link run}, and are this pass' to dispose of. */
  readonly result: Result;
  readonly #engine: Engine;
  readonly #compiled: Compiled<Result>;

  /** {@link compileForward} makes it. */
  constructor(engine: Engine, inputs: Readonly<Record<Name, Tensor>>, compiled: Compiled<Result>) {
    this.inputs = inputs;
    this.result = compiled.result;
    this.#engine = engine;
    this.#compiled = compiled;
  }

  /** Kernels that a run starts at most. */
  get dispatches(): number {
    return this.#compiled.dispatches;
  }

  /**
   * Runs it on new values, copied before this returns; inputs that get none keep theirs. Resolves to {@link result} once it is on the
   * device's queue, after all that was called before.
   *
   * @throws ArgumentError for names and values that do not fit, before anything has happened; TensorError once disposed.
   */
  async run(values?: Readonly<Partial<Record<Name, TensorData>>>): Promise<Result> {
    const known = Object.keys(this.inputs) as Name[];
    const names = isObject(values) ? (Object.keys(values) as Name[]) : known;
    for (const name of names) {
      require(known.includes(name), () => `run() got values for ${name}; expected ${known.join(", ")}`);
    }
    const given = values === undefined ? [] : readInputs(this.inputs, values, names);
    const written = Promise.all(given.map((input) => this.#engine.write(input.tensor, input.values)));
    // Where the run throws, that is the error.
    written.catch(() => undefined);
    this.#compiled.run();
    await written;
    await this.#engine.submit();
    return this.result;
  }

  /** Gives back its own memory, that of its inputs and of its result. Weights stay. Twice is harmless. */
  dispose(): void {
    this.#compiled.dispose();
    const made = [...Object.values<Tensor>(this.inputs), ...valuesOf(this.result)] as Tensor[];
    for (const tensor of made) tensor.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }
}
