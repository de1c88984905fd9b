/** What the build makes of a .wgsl file: its source with imports resolved, and its reflected interface. */

export type ScalarType = "u32" | "i32" | "f32";

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
  /** `const` lines marked `// @specialize`, whose values the host may replace before compiling. */
  readonly constants: readonly Constant[];
  /** `alias` lines marked likewise. */
  readonly aliases: readonly string[];
  readonly uniforms: { readonly bytes: number; readonly fields: Readonly<Record<Field, UniformField>> };
  readonly bindings: Readonly<Record<Binding, StorageBinding>>;
}

/** What a kernel's text says itself, so that a page does not load it twice: marked names, and storage buffers. */
export function readDeclarations(code: string): Pick<Kernel, "constants" | "aliases" | "bindings"> {
  const marked = (what: string): string[] =>
    [...code.matchAll(new RegExp(`^${what} (\\w+)\\b.* // @specialize$`, "gm"))].map(([, name]) => name);
  const bindings: Record<string, StorageBinding> = {};
  for (const [, binding, access, name] of code.matchAll(
    /^@group\(0\) @binding\((\d+)\) var<storage, (\w+)> (\w+):/gm,
  )) {
    bindings[name] = { binding: Number(binding), access: access as StorageBinding["access"] };
  }
  return { constants: marked("const"), aliases: marked("alias"), bindings };
}
