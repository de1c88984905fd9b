/** Packs values into a kernel's uniform struct by field name. */
import { ConvError } from "../base/errors.js";
import type { Kernel } from "./kernel.js";

/** A value for each field: a number, or one a component for a vector. */
export type UniformValues = Readonly<Record<string, number | readonly number[]>>;

/** What a field of an integer type holds. */
const RANGES: Readonly<Record<string, readonly [lowest: number, highest: number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
};

/** Which value its field cannot hold; undefined where all can be held. */
export function uniformRefusal({ name, uniforms }: Kernel, values: UniformValues): string | undefined {
  for (const [field, { type }] of Object.entries(uniforms.fields)) {
    if (!(type in RANGES) || !(field in values)) continue;
    const [lowest, highest] = RANGES[type];
    const given = values[field];
    for (const value of typeof given === "number" ? [given] : given) {
      if (Number.isInteger(value) && value >= lowest && value <= highest) continue;
      return `${name} counts ${field} = ${String(value)}; expected an integer from ${String(lowest)} to ${String(highest)}`;
    }
  }
  return undefined;
}

/** The bytes of the struct. Throws for a missing field, an unknown one, a wrong number of components, or one out of range. */
export function packUniforms(kernel: Kernel, values: UniformValues): ArrayBuffer {
  const { bytes, fields } = kernel.uniforms;
  for (const name of Object.keys(values)) {
    if (!(name in fields)) throw new ConvError(`kernel ${kernel.name} has no uniform field ${name}`);
  }
  const unfit = uniformRefusal(kernel, values);
  if (unfit !== undefined) throw new ConvError(unfit);
  const buffer = new ArrayBuffer(Math.ceil(bytes / 16) * 16);
  const view = new DataView(buffer);
  for (const [name, { offsetBytes, type, count }] of Object.entries(fields)) {
    const value = values[name] as number | readonly number[] | undefined;
    const components = typeof value === "number" ? [value] : value;
    if (components?.length !== count) {
      throw new ConvError(
        `kernel ${kernel.name}: uniform field ${name} needs ${String(count)} components, got ${String(value)}`,
      );
    }
    components.forEach((component, i) => {
      const at = offsetBytes + 4 * i;
      if (type === "f32") view.setFloat32(at, component, true);
      else if (type === "i32") view.setInt32(at, component, true);
      else view.setUint32(at, component, true);
    });
  }
  return buffer;
}
