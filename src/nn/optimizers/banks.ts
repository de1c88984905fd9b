/** Where the state of parameters lies: side by side in a few tensors, so that a dispatch binds one for several parameters. */
import type { DType } from "../../problem/dtype.js";
import type { Resize, TensorSpec } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";

/** A parameter that an optimizer changes. */
export interface ParameterSpec extends TensorSpec {
  readonly name: string;
  readonly decay: number;
}

/** A parameter, and where its state begins in a bank. */
export interface Placed extends ParameterSpec {
  /** Among all parameters of the optimizer. */
  readonly index: number;
  readonly size: number;
  readonly place: number;
}

/** Parameters of one element type, and the tensor that has their state. */
export interface Bank {
  readonly dtype: DType;
  readonly parameters: readonly Placed[];
  /** What is kept of each parameter, one after the other; with "master", last, for those of float16. */
  readonly sections: readonly string[];
  /** Elements of the tensor, in float32; 0 where nothing is kept. */
  readonly size: number;
}

/** A float32 copy of a float16 parameter. */
export const MASTER = "master";

/** What every WebGPU device binds at once: 128 MiB of float32. */
const MOST_ELEMENTS = 2 ** 25;

/** Banks of as many parameters, with other extents. */
export const resizedBanks = (banks: readonly Bank[], to: Resize): readonly Bank[] =>
  banks.map((bank) => {
    let place = 0;
    const parameters = bank.parameters.map((parameter): Placed => {
      const shape = parameter.shape.map((extent) => to(extent));
      const size = product(shape);
      place += bank.sections.length * size;
      return { ...parameter, shape, size, place: place - bank.sections.length * size };
    });
    return { ...bank, parameters, size: place };
  });

/** Parameters in banks that any device can bind, as far as one parameter's state allows that. */
export function inBanks(
  parameters: readonly ParameterSpec[],
  kept: readonly string[],
  mostElements = MOST_ELEMENTS,
): readonly Bank[] {
  const banks: { dtype: DType; parameters: Placed[]; sections: readonly string[]; size: number }[] = [];
  for (const dtype of ["float32", "float16"] as const) {
    const sections = dtype === "float16" ? [...kept, MASTER] : kept;
    for (const [index, parameter] of parameters.entries()) {
      if (parameter.dtype !== dtype) continue;
      const size = product(parameter.shape);
      const last = banks.at(-1);
      const fits = last?.dtype === dtype && last.size + sections.length * size <= mostElements;
      const bank = last && fits ? last : { dtype, parameters: [], sections, size: 0 };
      if (bank !== last) banks.push(bank);
      bank.parameters.push({ ...parameter, index, size, place: bank.size });
      bank.size += sections.length * size;
    }
  }
  return banks;
}
