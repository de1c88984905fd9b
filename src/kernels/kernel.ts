/**
 * What the build makes of a .wgsl file: its reflected interface, which planning and binding need, and its source with imports
 * resolved, which is loaded when it is first compiled.
 */
import { loadLazily } from "../base/lazy.js";

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
 * The type parameters are the names of its constants and conditions, uniform fields, storage bindings and aliases, so that the
 * compiler finds a host that has drifted from the shader.
 */
export interface Kernel<
  Constant extends string = string,
  Field extends string = string,
  Binding extends string = string,
  Alias extends string = string,
> {
  readonly name: string;
  /** Never there: the names of constants, conditions and aliases are for the host's compiler, and come with the text. */
  readonly constantNames?: readonly Constant[];
  readonly aliasNames?: readonly Alias[];
  readonly uniforms: { readonly bytes: number; readonly fields: Readonly<Record<Field, UniformField>> };
  readonly bindings: Readonly<Record<Binding, StorageBinding>>;
  /** The module of its text: a chunk of its own, which a page loads when it first runs the kernel. */
  readonly load: LoadText;
  /** Likewise of what is needed besides where its condition FORMULA holds; absent where that is nothing. */
  readonly loadFormulas?: LoadText | undefined;
}

type LoadText = () => Promise<{ readonly default: string }>;

/** A kernel with its text. */
export interface LoadedKernel extends Omit<Kernel, "load" | "loadFormulas"> {
  readonly code: string;
  /** `const` lines marked `// @specialize`, whose values the host may replace before compiling. */
  readonly constants: readonly string[];
  /** What its `@if(...)` ask for: true or false, given with the constants; false where it is not given. */
  readonly conditions: readonly string[];
  /** `alias` lines marked likewise. */
  readonly aliases: readonly string[];
}

/**
 * A kernel from what the build writes of it: short texts, since pages load those of every solver.
 *
 * @param bindings "1 source,2 result read_write": binding, name, and access where that is not "read"
 * @param fields "size vec3u,scale f32,count": names and types of the uniform struct's members; u32 where it is not said
 */
export function makeKernel(
  name: string,
  bindings: string,
  fields: string,
  load: LoadText,
  loadFormulas?: LoadText,
): Kernel {
  const read = bindings.split(",").map((text) => {
    const [binding, bound, access = "read"] = text.split(" ");
    return [bound, { binding: Number(binding), access: access as StorageBinding["access"] }] as const;
  });
  return { name, uniforms: layOut(fields), bindings: Object.fromEntries(read), load, loadFormulas };
}

const SCALARS: Readonly<Record<string, ScalarType>> = { u: "u32", i: "i32", f: "f32" };
const WORD_BYTES = 4;

/** Where WGSL puts the members of a uniform struct (14.4.1): the build checks it against what it reflects. */
function layOut(members: string): Kernel["uniforms"] {
  const fields: Record<string, UniformField> = {};
  let end = 0;
  let widest = WORD_BYTES;
  const roundUp = (alignment: number): number => Math.ceil(end / alignment) * alignment;
  for (const member of members.split(",")) {
    const [name, type = "u32"] = member.split(" ");
    const [, components = "1", letter = ""] = /^(?:vec(\d))?(\w)/.exec(type) ?? [];
    const count = Number(components);
    const alignment = WORD_BYTES * (count === 3 ? 4 : count);
    const offsetBytes = roundUp(alignment);
    fields[name] = { offsetBytes, type: SCALARS[letter], count };
    end = offsetBytes + WORD_BYTES * count;
    widest = Math.max(widest, alignment);
  }
  return { bytes: roundUp(widest), fields };
}

/** @param formulas whether its condition FORMULA holds, or is not known */
export async function loadKernel(kernel: Kernel, formulas = true): Promise<LoadedKernel> {
  const { load, loadFormulas, ...loaded } = kernel;
  const texts = [load, ...(formulas && loadFormulas ? [loadFormulas] : [])];
  const modules = await loadLazily(`kernel ${kernel.name}`, () => Promise.all(texts.map((text) => text())));
  const code = modules.map((module) => module.default).join("");
  return { ...loaded, code, ...readDeclarations(code) };
}

/** What a kernel's text says itself: names that the host may give values. */
export function readDeclarations(code: string): Pick<LoadedKernel, "constants" | "conditions" | "aliases"> {
  const marked = (what: string): string[] =>
    [...code.matchAll(new RegExp(`^${what} (\\w+)\\b.* // @specialize$`, "gm"))].map(([, name]) => name);
  const conditions = new Set([...code.matchAll(/@if\((\w+)\)/g)].map(([, name]) => name));
  return { constants: marked("const"), conditions: [...conditions], aliases: marked("alias") };
}

/** Names of constants and conditions, for which a host gives values side by side. */
export const settableNames = ({ constants, conditions }: LoadedKernel): readonly string[] => [
  ...constants,
  ...conditions,
];
