/** Says where a loss began that is no finite number. */
import type { Engine } from "../../api/engine.js";
import { countSpecials } from "../../backend/backend.js";
import { ConvError, textOf } from "../../base/errors.js";
import type { Tensor } from "../../tensor/tensor.js";
import { showShape } from "../core/operation.js";
import type { InputValues } from "../recorded/inputs.js";
import { findNonFinite, type NonFinite } from "./nonFinite.js";

/** What is known of the beginning. */
interface Beginning {
  readonly text: string;
  readonly where?: NonFinite | undefined;
  /** Why it was not found. */
  readonly cause?: unknown;
}

/** The loss is no finite number any more. */
export class NonFiniteError extends ConvError {
  override readonly name = "NonFiniteError";
  /** The step whose loss it was: 1 for the first. */
  readonly step: number;
  /** Where it began; undefined where that is an input or a parameter, or was not found: the message tells. */
  readonly where: NonFinite | undefined;

  constructor(step: number, loss: number, { text, where, cause }: Beginning) {
    super(`the loss of step ${String(step)} is ${String(loss)}: ${text}`, cause === undefined ? {} : { cause });
    this.step = step;
    this.where = where;
  }
}

/** A step that was run, and the values that its inputs had. */
export interface StepRun {
  readonly step: number;
  readonly inputs: readonly InputValues[];
}

/** What a step computes, from its inputs and from parameters. */
export interface Computation {
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly compute: () => unknown;
}

/** Looks for the beginning, with the step's inputs and the parameters that there are now. Never rejects. */
export async function diagnose(
  engine: Engine,
  run: StepRun,
  loss: number,
  computation: Computation,
): Promise<NonFiniteError> {
  try {
    return new NonFiniteError(run.step, loss, await beginningOf(engine, run, computation));
  } catch (cause) {
    return new NonFiniteError(run.step, loss, { text: `its place was not found: ${textOf(cause)}`, cause });
  }
}

const MOST_NAMES = 3;

async function beginningOf(
  engine: Engine,
  { inputs }: StepRun,
  { parameters, compute }: Computation,
): Promise<Beginning> {
  for (const { name, tensor, values } of inputs) {
    const { nan, infinite } = countSpecials(Float32Array.from(values));
    if (nan + infinite > 0)
      return { text: `input ${name}, of shape ${showShape(tensor.shape)}, has ${showCounts(nan, infinite)}` };
  }
  const broken: string[] = [];
  for (const [name, tensor] of Object.entries(parameters)) {
    const { nan, infinite } = await engine.check(tensor);
    if (nan + infinite > 0) broken.push(name);
  }
  if (broken.length > 0) {
    const more = broken.length > MOST_NAMES ? ` and ${String(broken.length - MOST_NAMES)} others` : "";
    return {
      text:
        `parameters are no longer finite (${broken.slice(0, MOST_NAMES).join(", ")}${more}); a smaller learning rate may help. ` +
        "With the optimizer's skipNonFinite they stay as they were, and the layer where it begins is found",
    };
  }
  for (const { tensor, values } of inputs) await engine.write(tensor, values);
  const where = await findNonFinite(engine, compute);
  if (!where) {
    return {
      text: "a forward pass with the parameters that there are now is finite: it was an update that went too far",
    };
  }
  const { layer, operation, shape, nan, infinite } = where;
  const place = `${layer === "" ? "" : `layer ${layer}, `}${operation}`;
  return {
    text: `it begins in ${place}, whose result of shape ${showShape(shape)} has ${showCounts(nan, infinite)}`,
    where,
  };
}

const showCounts = (nan: number, infinite: number): string => `${String(nan)} NaN and ${String(infinite)} infinities`;
