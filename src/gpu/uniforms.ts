/** Packs values into a kernel's uniform struct by field name. */
import { ConvError } from "../errors.js";
import type { Kernel } from "./kernel.js";

/** A value for each field: a number, or one a component for a vector. */
export type UniformValues = Readonly<Record<string, number | readonly number[]>>;

/** The bytes of the struct. Throws for a missing field, an unknown one, or a wrong number of components. */
export function packUniforms(kernel: Kernel, values: UniformValues): ArrayBuffer {
  const { bytes, fields } = kernel.uniforms;
  for (const name of Object.keys(values)) {
    if (!(name in fields)) throw new ConvError(`kernel ${kernel.name} has no uniform field ${name}`);
  }
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
