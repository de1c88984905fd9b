/**
 * The published types in the projects of those who use them: whatever "lib" and types their compiler is given, the
 * declarations compile, `dispose()` and `using` are known, and WebGPU's objects are the caller's own types where it has any.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeProject, ROOT } from "../support/packed.js";

let folder = "";
beforeAll(async () => {
  folder = await makeProject(["webgpu", "@webgpu/types", "@types/node", "undici-types", "vite"]);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What every consumer may write. */
const ANYWHERE = `
import { createEngine, outputSize, type ConvOptions, type Engine, type Explanation, type Tensor } from "webgpu-conv";
import { createEngine as createForwardEngine, type ForwardEngine } from "webgpu-conv/forward";
import { floatValues, type Graph, readSafetensors } from "webgpu-conv/io";
import { DataLoader, type Dataset, Random } from "webgpu-conv/nn";
import { folderDataset } from "webgpu-conv/nn/node";
import { type LoadedModel, openModel } from "webgpu-conv/nn/page";
import { createEngine as createInNode, type NodeEngineOptions } from "webgpu-conv/node";
import { compare, type ConvProblem, errorBound, forward, makeProblem } from "webgpu-conv/reference";

const options: ConvOptions = { stride: 2, padding: [[1, 0], [1, 0]], activation: "relu" };
export async function layer(data: Float32Array): Promise<Float32Array> {
  const engine: Engine = await createEngine();
  const x: Tensor = engine.tensor(data, [1, 1, 4, 4]);
  const y = engine.conv2d(x, x, { ...options, bias: x });
  const explanation: Explanation = engine.explain("conv2d", { input: x.shape, weight: x.shape }, options);
  const workgroups: number = explanation.dispatches[0].workgroups[0] + outputSize(4, { kernel: 4 });
  // @ts-expect-error: a wrong name is found
  engine.conv2d(x, x, { strides: workgroups });
  const gradients = engine.conv2dBackward(y, x, x, { ...options, output: y });
  const values: Float32Array = await gradients.weight.data();
  const { buffer, offset, size } = y.binding();
  engine.wrap(buffer, [offset + size]);
  engine.image({ data: new Uint8ClampedArray(4), width: 1, height: 1 });
  // @ts-expect-error: and so is what is no picture
  engine.image(3);
  y.dispose();
  engine.dispose();
  return values;
}
export async function declared(): Promise<Float32Array> {
  using engine = await createEngine({ powerPreference: "low-power" });
  using x: Tensor = engine.tensor([1], [1]);
  using sequence = await engine.compile(() => engine.activate(x, "relu"));
  return await sequence.result.data();
}
export const opened = async (engine: Engine, graph: Graph): Promise<LoadedModel> => await openModel(engine, graph);
export async function forwardOnly(): Promise<Float32Array> {
  using engine: ForwardEngine = await createForwardEngine({ powerPreference: "low-power" });
  const y = engine.scope((local) => local.conv2d(local.tensor([1], [1, 1, 1, 1]), local.tensor([1], [1, 1, 1, 1])));
  // @ts-expect-error: it has no gradients
  engine.conv2dBackward(y, y, y);
  return await y.data();
}
const nodeOptions: NodeEngineOptions = { dawnOptions: ["backend=vulkan"] };
export const inNode: Promise<Engine> = createInNode(nodeOptions);
export async function weight(file: ArrayBuffer): Promise<Float32Array | undefined> {
  const found = (await readSafetensors(file)).tensors.get("conv1.weight");
  return found && floatValues(found);
}
export const pictures: Promise<Dataset> = folderDataset("pictures", {
  decode: (bytes) => ({ width: bytes.length, height: 1, data: bytes }),
});
export const batches = async (): Promise<DataLoader> => new DataLoader(await pictures, { batchSize: 4 });
export const drawn: number = new Random(1).normal();
const problem: ConvProblem = makeProblem(2, [1, 1, 4, 4], [1, 1, 2, 2], options);
export const pass: boolean = compare([1], forward(problem, [1], [1]), errorBound(problem, "forward", {})).pass;
`;

/** What those may who have WebGPU's types: theirs are the ones that the engine takes and gives. */
const WITH_WEBGPU = `
import { createEngine } from "webgpu-conv";

export async function own(device: GPUDevice, buffer: GPUBuffer, encoder: GPUCommandEncoder): Promise<GPUBuffer> {
  const engine = await createEngine({ device });
  // @ts-expect-error: a number is no device
  await createEngine({ device: 3 });
  const same: GPUDevice | undefined = engine.device;
  same?.createBuffer({ size: 4, usage: 128 });
  const { result } = await engine.encode(encoder, () => engine.wrap(buffer, [1]));
  // @ts-expect-error: nor is an encoder a buffer
  engine.wrap(encoder, [1]);
  return result.binding().buffer;
}
`;

const IN_PAGE = `
import { createEngine, type DrawTarget, type ImageSource } from "webgpu-conv";

const canvas: HTMLCanvasElement = document.createElement("canvas");
declare const context: GPUCanvasContext | GPUTexture;
const target: DrawTarget = context;
const sources: ImageSource[] = [canvas, new Image(), document.createElement("video"), new ImageData(1, 1)];
const engine = await createEngine();
await engine.draw(engine.image(sources), target);
`;

const WITH_DAWN = `
import * as dawn from "webgpu";
import { createEngine } from "webgpu-conv/node";

export const engine = await createEngine({ dawn });
export const device: GPUDevice | undefined = engine.device;
`;

/** As `npm create vite` (9.3.0) writes it for "vanilla-ts". */
const VITE = {
  target: "es2023",
  module: "esnext",
  lib: ["ES2023", "DOM"],
  types: ["vite/client"],
  allowArbitraryExtensions: true,
  skipLibCheck: true,
  moduleResolution: "bundler",
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  moduleDetection: "force",
  noEmit: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  erasableSyntaxOnly: true,
  noFallthroughCasesInSwitch: true,
};

const NODE = { target: "ES2022", module: "NodeNext", moduleResolution: "NodeNext", strict: true, noEmit: true };
const BUNDLER = { ...NODE, module: "ESNext", moduleResolution: "Bundler", exactOptionalPropertyTypes: true };

interface Consumer {
  readonly settings: object;
  readonly code: readonly string[];
}

const CONSUMERS: Readonly<Record<string, Consumer>> = {
  "vite's template": { settings: VITE, code: [ANYWHERE, WITH_WEBGPU, IN_PAGE] },
  "Node, without DOM": { settings: { ...NODE, lib: ["ES2022"], types: [] }, code: [ANYWHERE] },
  "Node, with its types": { settings: { ...NODE, lib: ["ES2022"], types: ["node"] }, code: [ANYWHERE] },
  "Node, with @webgpu/types": {
    settings: { ...NODE, lib: ["ES2022"], types: ["node", "@webgpu/types"] },
    code: [ANYWHERE, WITH_WEBGPU],
  },
  "Node, with Dawn": {
    settings: { ...NODE, lib: ["ES2022"], types: ["node"] },
    code: [ANYWHERE, WITH_WEBGPU, WITH_DAWN],
  },
  "an old lib": { settings: { ...BUNDLER, lib: ["ES2020", "DOM"], types: [] }, code: [ANYWHERE, WITH_WEBGPU, IN_PAGE] },
  "the newest lib": {
    settings: { ...BUNDLER, target: "ESNext", lib: ["ESNext", "DOM", "DOM.Iterable"], types: [] },
    code: [ANYWHERE, WITH_WEBGPU, IN_PAGE],
  },
  "a page with @webgpu/types": {
    settings: { ...BUNDLER, lib: ["ES2022", "ESNext.Disposable", "DOM"], types: ["@webgpu/types"] },
    code: [ANYWHERE, WITH_WEBGPU, IN_PAGE],
  },
  "a worker": { settings: { ...BUNDLER, lib: ["ES2022", "WebWorker"], types: [] }, code: [ANYWHERE, WITH_WEBGPU] },
};

/** Writes the consumer's files; gives their paths. */
function writeConsumer({ settings, code }: Consumer): string[] {
  const names = code.map((text, i) => {
    writeFileSync(join(folder, `consumer${String(i)}.ts`), text);
    return `consumer${String(i)}.ts`;
  });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: settings, files: names }));
  return names.map((name) => join(folder, name));
}

/** The compiler's own libraries, parsed once. */
const libraries = new Map<string, ts.SourceFile | undefined>();

function makeHost(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (file, ...how) => {
    if (!file.includes("node_modules/typescript/lib/")) return read(file, ...how);
    if (!libraries.has(file)) libraries.set(file, read(file, ...how));
    return libraries.get(file);
  };
  return host;
}

/**
 * What the compiler says of the consumer's files and of all published declarations; nothing when all is well. Third
 * parties' declarations are theirs: those of @webgpu/types contradict the "DOM" of TypeScript 6.
 */
function messagesOf(consumer: Consumer): string[] {
  const files = writeConsumer(consumer);
  const types = join(folder, "node_modules/webgpu-conv/dist/types");
  const published = readdirSync(types, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".d.ts"));
  const { options, errors } = ts.convertCompilerOptionsFromJson({ ...consumer.settings, skipLibCheck: false }, folder);
  const roots = [...files, ...published.map((file) => join(types, file))];
  const program = ts.createProgram(roots, options, makeHost(options));
  const ours = roots.flatMap((file) => {
    const source = program.getSourceFile(file);
    return source ? ts.getPreEmitDiagnostics(program, source) : [];
  });
  return [...errors, ...ours].map(({ file, messageText }) => {
    return `${file?.fileName ?? ""}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}

describe("with every declaration checked, they compile in", () => {
  test.each(Object.entries(CONSUMERS))("%s", (_, consumer) => {
    expect(messagesOf(consumer)).toEqual([]);
  });
});

describe("tsc itself has nothing to say in", () => {
  const named = [
    { name: "vite's template", skipLibCheck: true },
    { name: "vite's template", skipLibCheck: false },
    { name: "Node, without DOM", skipLibCheck: false },
  ];
  test.each(named)("$name, skipLibCheck $skipLibCheck", ({ name, skipLibCheck }) => {
    const { settings, code } = CONSUMERS[name];
    writeConsumer({ settings: { ...settings, skipLibCheck }, code });
    expect(compile()).toBe("");
  });

  /** What the compiler prints. */
  function compile(): string {
    try {
      const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
      return execFileSync(process.execPath, [compiler, "-p", folder], { cwd: folder, encoding: "utf8" });
    } catch (error) {
      return (error as { readonly stdout: string }).stdout;
    }
  }
});
