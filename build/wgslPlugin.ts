/**
 * Vite plugin: `import kernel from "./x.wgsl"` gives a Kernel (src/kernels/kernel.ts).
 *
 * Imports between shader files are WESL's and are resolved here with its linker; the uniform struct is read, and the
 * bindings are checked, by wgsl_reflect. Both run at build time only, so a page carries neither. Beside each
 * kernel a `.d.wgsl.ts` declaration is written with the names found, so that the host's use of them is checked.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Plugin } from "vite";
import { link } from "wesl";
import type { StructInfo, TemplateInfo, TypeInfo } from "wgsl_reflect";
// The package has no "exports": Node would take its CommonJS "main".
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import {
  type Kernel,
  type LoadedKernel,
  readDeclarations,
  settableNames,
  type UniformField,
} from "../src/kernels/kernel.js";
import { decideConditions } from "../src/kernels/specialize.js";
import {
  COMMON_MODULES,
  type CommonText,
  findCommon,
  isTextModule,
  kernelModule,
  TEXT_MODULE,
  textModule,
} from "./kernelModules.js";

const CONSTANT = /^const (\w+): (u32|i32|f32|bool) = ([^;]+); \/\/ @specialize/gm;

/** All shader files below `root`, by path relative to it, with forward slashes. */
export function readShaders(root: string): Record<string, string> {
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".wgsl"));
  return Object.fromEntries(files.map((file) => [file.replaceAll("\\", "/"), readFileSync(join(root, file), "utf8")]));
}

function checkConstants(code: string): void {
  for (const [, name, type, text] of code.matchAll(CONSTANT)) {
    const isLiteral = type === "bool" ? /^(true|false)$/.test(text) : !Number.isNaN(Number(text.replace(/u$/, "")));
    if (!isLiteral) throw new Error(`constant ${name} has the value "${text}"; expected a literal`);
  }
}

/** Scalars and vectors of 32-bit numbers; anything else is refused. */
function readField(type: TypeInfo): Pick<UniformField, "type" | "count"> {
  const vector = /^vec([234])$/.exec(type.name);
  const element = vector ? (type as TemplateInfo).format?.name : type.name;
  if (element !== "u32" && element !== "i32" && element !== "f32") {
    throw new Error(`uniform fields of type ${type.name} are not supported`);
  }
  return { type: element, count: vector ? Number(vector[1]) : 1 };
}

function readUniforms(struct: StructInfo): Kernel["uniforms"] {
  const fields = struct.members.map((member) => {
    return [member.name, { offsetBytes: member.offset, ...readField(member.type) }] as const;
  });
  return { bytes: struct.size, fields: Object.fromEntries(fields) };
}

/** Comments and indents are for readers of the files; only marks that specialising looks for stay in what is shipped. */
function withoutComments(code: string): string {
  const plain = code.replace(/[ \t]*\/\/(?! @(?:specialize|unroll)\b).*$/gm, "");
  return plain.replace(/\n\s+/g, "\n").trim() + "\n";
}

/**
 * WESL's conditions are decided when a kernel is specialised, for what a plan wants is known then: they stay in the text.
 * The linker would decide them; it sees comments, which it leaves where they are.
 */
async function linkKeepingConditions(file: string, shaders: Record<string, string>): Promise<string> {
  // Nor does the linker know the functions of subgroup matrices, an experimental feature: it sees one that it knows.
  const hide = (text: string): string =>
    text.replace(/@if\([^)]*\)|@else\b/g, "/*$&*/").replace(/\bsubgroupMatrix\w+(<[^>]*>)?/g, "select/*$&*/");
  const hidden = Object.entries(shaders).map(([path, text]) => [path, hide(text)]);
  const { dest } = await link({ weslSrc: Object.fromEntries(hidden) as Record<string, string>, rootModuleName: file });
  return dest
    .replace(/\/\*(@if\([^)]*\)|@else)\*\/\s*/g, "$1 ")
    .replace(/\bselect\s*\/\*(subgroupMatrix[^*]*)\*\/\s*/g, "$1");
}

/** Links one kernel file with what it imports and reflects the result. */
export async function buildKernel(file: string, shaders: Record<string, string>): Promise<LoadedKernel> {
  const name = basename(file, ".wgsl");
  const code = withoutComments(await linkKeepingConditions(file, shaders));
  checkConstants(code);
  const plain = decideConditions(code, () => false);
  if (/@if|@else/.test(plain)) throw new Error(`${file}: expected @if(NAME), and @else behind what follows it alone`);
  const reflection = new WgslReflect(plain);
  const [uniform] = reflection.uniforms;
  if (reflection.uniforms.length !== 1 || uniform.binding !== 0)
    throw new Error(`${file}: expected one uniform, at binding 0`);
  const { compute, vertex, fragment } = reflection.entry;
  const draws = compute.length === 0 && vertex.length === 1 && fragment.length === 1;
  if (!draws && compute.map(({ name }) => name).join() !== "main")
    throw new Error(`${file}: expected a compute entry point named main, or one vertex and one fragment entry point`);
  const bindings = reflection.storage.map(({ name: bound, binding, access }) => {
    if (access !== "read" && access !== "read_write")
      throw new Error(`${file}: ${bound} is no storage that a kernel reads`);
    return [bound, { binding, access }] as const;
  });
  return {
    name,
    code,
    ...readDeclarations(code),
    bindings: Object.fromEntries(bindings),
    uniforms: readUniforms(uniform.type as StructInfo),
  };
}

function declare(kernel: LoadedKernel, file: string): string {
  const union = (names: string[]): string => names.map((name) => JSON.stringify(name)).join(" | ") || "never";
  return `// Written by build/wgslPlugin.ts from ${kernel.name}.wgsl.
import type { Kernel } from "${"../".repeat(file.split("/").length)}src/kernels/kernel.js";

declare const kernel: Kernel<
  ${union([...settableNames(kernel)])},
  ${union(Object.keys(kernel.uniforms.fields))},
  ${union(Object.keys(kernel.bindings))},
  ${union([...kernel.aliases])}
>;
export default kernel;
`;
}

function writeIfChanged(file: string, text: string): void {
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}

/** Builds every kernel of the folder (files in its subfolder common are shared parts) and writes their declarations. */
export async function buildKernels(shaderRoot: string): Promise<LoadedKernel[]> {
  const shaders = readShaders(shaderRoot);
  const files = Object.keys(shaders).filter((file) => !file.startsWith("common/"));
  return await Promise.all(
    files.map(async (file) => {
      const kernel = await buildKernel(file, shaders);
      writeIfChanged(join(shaderRoot, file.replace(/\.wgsl$/, ".d.wgsl.ts")), declare(kernel, file));
      return kernel;
    }),
  );
}

/** Kernels that a page of convolutions alone never runs: what only these have in common must not burden it. */
const NETWORKS = "nn/";

/** Kernels of a folder, built again only when a file of it changed. */
class KernelFolder {
  readonly root: string;
  #text = "";
  #kernels: Promise<LoadedKernel[]> | undefined;

  constructor(root: string) {
    this.root = root;
  }

  async kernels(): Promise<readonly LoadedKernel[]> {
    const text = JSON.stringify(readShaders(this.root));
    if (!this.#kernels || text !== this.#text) this.#kernels = buildKernels(this.root);
    this.#text = text;
    return await this.#kernels;
  }

  async common(): Promise<CommonText> {
    const ofNetworks = Object.keys(readShaders(this.root)).filter((file) => file.startsWith(NETWORKS));
    const names = new Set(ofNetworks.map((file) => basename(file, ".wgsl")));
    return findCommon(await this.kernels(), (name) => !names.has(name));
  }
}

/** Folders by their paths: the projects of the tests have a plugin each, and build what they share once. */
const folders = new Map<string, KernelFolder>();

function folderAt(path: string): KernelFolder {
  const folder = folders.get(path) ?? new KernelFolder(path);
  folders.set(path, folder);
  return folder;
}

export function wgsl(root: string): Plugin {
  const folder = folderAt(resolve(root, "shaders"));
  const kernelOf = async (name: string): Promise<LoadedKernel> => {
    const kernel = (await folder.kernels()).find((one) => one.name === name);
    if (!kernel) throw new Error(`${name} is no kernel of ${folder.root}`);
    return kernel;
  };
  const moduleOf = async (id: string): Promise<string> => {
    const common = await folder.common();
    if (Object.hasOwn(COMMON_MODULES, id)) return COMMON_MODULES[id](common);
    if (isTextModule(id)) return textModule(await kernelOf(id.slice(TEXT_MODULE.length)), common);
    return kernelModule(await kernelOf(basename(id, ".wgsl")), common, resolve(root, "src/kernels/kernel.ts"));
  };
  return {
    name: "webgpu-conv:wgsl",
    async buildStart() {
      await folder.kernels();
    },
    resolveId: (id) => (isTextModule(id) ? id : undefined),
    async load(id) {
      if (!id.endsWith(".wgsl") && !isTextModule(id)) return undefined;
      for (const file of Object.keys(readShaders(folder.root))) this.addWatchFile(join(folder.root, file));
      return { code: await moduleOf(id), moduleType: "js", map: null };
    },
  };
}
