/**
 * What an import of a kernel becomes: a module with what planning needs of it, and another with its text, a chunk of its own
 * that a page loads when it first runs the kernel.
 */
import { isDeepStrictEqual } from "node:util";
import { type LoadedKernel, makeKernel } from "../src/kernels/kernel.js";
import { findFormulas, withoutFormulas } from "./lazyText.js";
import { groupShared, referToShared, sharedModule, type SharedText } from "./sharedText.js";

export const SHARED_MODULE = "\0webgpu-conv/wgsl/shared";
export const FORMULAS_MODULE = "\0webgpu-conv/wgsl/formulas";
/** Loads it, for whichever kernel. */
const LOAD_FORMULAS_MODULE = "\0webgpu-conv/wgsl/loadFormulas";
/** Followed by the kernel's name. */
export const TEXT_MODULE = "\0webgpu-conv/wgsl/";

export const isTextModule = (id: string): boolean => id.startsWith(TEXT_MODULE);

type Description = readonly [name: string, bindings: string, fields: string];

function describe({ name, uniforms, bindings }: LoadedKernel): Description {
  const bound = Object.entries(bindings).map(
    ([name, { binding, access }]) => `${String(binding)} ${name}${access === "read" ? "" : ` ${access}`}`,
  );
  const fields = Object.entries(uniforms.fields).map(([name, { type, count }]) => {
    if (count > 1) return `${name} vec${String(count)}${type.charAt(0)}`;
    return type === "u32" ? name : `${name} ${type}`;
  });
  return [name, bound.join(), fields.join()];
}

/** What the kernels of a folder have in common. */
export interface CommonText {
  readonly shared: SharedText;
  /** What those need whose condition FORMULA holds. */
  readonly formulas: string;
}

/** @param counts whether what a kernel has may be shared for its sake: what convolutions' kernels share, all pages load */
export function findCommon(kernels: readonly LoadedKernel[], counts: (name: string) => boolean): CommonText {
  const codes = kernels.map(({ code }) => code);
  const formulas = findFormulas(codes);
  const texts = codes.map((code) => withoutFormulas(code, formulas).text);
  return { shared: groupShared(texts, undefined, (i) => counts(kernels[i].name)), formulas };
}

/** @param kernelFile where {@link makeKernel} is */
export function kernelModule(kernel: LoadedKernel, { formulas }: CommonText, kernelFile: string): string {
  const description = describe(kernel);
  const made = makeKernel(...description, () => Promise.resolve({ default: kernel.code }));
  const { name, uniforms, bindings } = kernel;
  if (!isDeepStrictEqual({ ...made, name, uniforms, bindings }, made)) {
    throw new Error(`${kernel.name}: the host would lay it out in another way`);
  }
  const parts = description.map((text) => JSON.stringify(text));
  parts.push(`() => import(${JSON.stringify(TEXT_MODULE + kernel.name)})`);
  const imports = [`import { makeKernel } from ${JSON.stringify(kernelFile)};`];
  if (withoutFormulas(kernel.code, formulas).needs === "on condition") {
    imports.push(`import { loadFormulas } from ${JSON.stringify(LOAD_FORMULAS_MODULE)};`);
    parts.push("loadFormulas");
  }
  return `${imports.join("\n")}\nexport default /* @__PURE__ */ makeKernel(${parts.join(", ")});`;
}

/** A text's module. */
export function textModule({ code }: LoadedKernel, { shared, formulas }: CommonText): string {
  const { text, needs } = withoutFormulas(code, formulas);
  const { expression, names } = referToShared(text, shared);
  const imports = names.length > 0 ? [`import { ${names.join(", ")} } from ${JSON.stringify(SHARED_MODULE)};`] : [];
  if (needs === "always") imports.push(`import formulas from ${JSON.stringify(FORMULAS_MODULE)};`);
  return `${imports.join("\n")}\nexport default ${expression}${needs === "always" ? " + formulas" : ""};`;
}

/** The other modules, by their names. */
export const COMMON_MODULES: Readonly<Record<string, (common: CommonText) => string>> = {
  [SHARED_MODULE]: ({ shared }) => sharedModule(shared),
  [FORMULAS_MODULE]: ({ formulas }) => `export default ${JSON.stringify(formulas)};`,
  [LOAD_FORMULAS_MODULE]: () => `export const loadFormulas = () => import(${JSON.stringify(FORMULAS_MODULE)});`,
};
