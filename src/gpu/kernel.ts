/** What the build makes of a .wgsl file: its source with imports resolved, and its reflected interface. */

export type ScalarType = "u32" | "i32" | "f32";

/** A `const` line marked `// @specialize`, whose value the host may replace before compiling. */
export interface SpecializableConstant {
  readonly type: ScalarType | "bool";
  readonly value: number | boolean;
}

/** A member of the uniform struct; a vector has `count` components. */
export interface UniformField {
  readonly offsetBytes: number;
  readonly type: ScalarType;
  readonly count: number;
}

/** A storage buffer that the kernel declares in bind group 0. */
export interface StorageBinding {
  readonly binding: number;
  readonly access: "read" | "read_write";
}

/**
 * A compute shader with the entry point `main`, one uniform struct at binding 0 and storage buffers.
 * The type parameters are the names of its constants, uniform fields and storage bindings, so that the
 * compiler finds a host that has drifted from the shader.
 */
export interface Kernel<
  Constant extends string = string,
  Field extends string = string,
  Binding extends string = string,
> {
  readonly name: string;
  readonly code: string;
  readonly constants: Readonly<Record<Constant, SpecializableConstant>>;
  /** `alias` lines marked likewise, with the types that they name. */
  readonly aliases: Readonly<Record<string, string>>;
  readonly uniforms: { readonly bytes: number; readonly fields: Readonly<Record<Field, UniformField>> };
  readonly bindings: Readonly<Record<Binding, StorageBinding>>;
}
