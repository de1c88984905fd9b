/**
 * What an import of a kernel becomes: a module with what planning needs of it, and another with its text, a chunk of its own
 * that a page loads when it first runs the kernel.
 */
import { isDeepStrictEqual } from "node:util";
import { type LoadedKernel, makeKernel } from "../src/kernels/kernel.js";
import { referToShared, type SharedText } from "./sharedText.js";

export const SHARED_MODULE = "\0webgpu-conv/wgsl/shared";
/** Followed by the kernel's name. */
export const TEXT_MODULE = "\0webgpu-conv/wgsl/";

export const isTextModule = (id: string): boolean => id.startsWith(TEXT_MODULE);

type Description = Parameters<typeof makeKernel> extends [...infer Texts, unknown] ? Texts : never;

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

/** @param kernelFile where {@link makeKernel} is */
export function kernelModule(kernel: LoadedKernel, kernelFile: string): string {
  const description = describe(kernel);
  const made = makeKernel(...description, () => Promise.resolve({ default: kernel.code }));
  const { name, uniforms, bindings } = kernel;
  if (!isDeepStrictEqual({ name, uniforms, bindings, load: made.load }, made)) {
    throw new Error(`${kernel.name}: the host would lay it out in another way`);
  }
  const texts = description.map((text) => JSON.stringify(text)).join(", ");
  const load = `() => import(${JSON.stringify(TEXT_MODULE + kernel.name)})`;
  return `import { makeKernel } from ${JSON.stringify(kernelFile)};
export default /* @__PURE__ */ makeKernel(${texts}, ${load});`;
}

export function textModule({ code }: LoadedKernel, shared: SharedText): string {
  const { expression, names } = referToShared(code, shared);
  const imports = names.length > 0 ? `import { ${names.join(", ")} } from ${JSON.stringify(SHARED_MODULE)};\n` : "";
  return `${imports}export default ${expression};`;
}
