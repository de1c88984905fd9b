/**
 * What the script of a page is made of that convolves once: bytes by folder and by module, minified and compressed. Of each it
 * says by how much the page would be smaller without its text; texts that repeat each other share their bytes.
 * `npx tsx examples/weight/main.ts` for `webgpu-conv/forward`, `... main.ts index` for `webgpu-conv`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin, type Rolldown } from "vite";
import { wgsl } from "../../build/wgslPlugin.js";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGE = `import { createEngine } from "webgpu-conv";
const engine = await createEngine();
const y = engine.conv2d(engine.tensor([1], [1, 1, 1, 1]), engine.tensor([1], [1, 1, 1, 1]));
document.title = String(await y.data());`;

/** What is loaded when it is needed is no part of what is loaded at once. */
const lazily: Plugin = {
  name: "lazily",
  enforce: "pre",
  resolveId: (id, _importer, { kind }) => (kind === "dynamic-import" ? { id, external: true } : undefined),
};

/** The script that a page loads at once. */
async function bundle(entry: string): Promise<Rolldown.OutputChunk> {
  const root = mkdtempSync(join(tmpdir(), "webgpu-conv-weight-"));
  try {
    writeFileSync(join(root, "page.js"), PAGE);
    writeFileSync(join(root, "index.html"), '<!doctype html><script type="module" src="./page.js"></script>');
    const built = (await build({
      root,
      configFile: false,
      logLevel: "silent",
      plugins: [lazily, wgsl(ROOT)],
      resolve: { alias: { "webgpu-conv": join(ROOT, `src/${entry}.ts`) } },
      build: { target: "es2022", write: false, sourcemap: "hidden" },
    })) as Rolldown.RolldownOutput;
    const chunks = built.output.filter((one) => one.type === "chunk");
    if (chunks.length !== 1) throw new Error(`${String(chunks.length)} scripts; expected one`);
    return chunks[0];
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** The module that each character of a script comes from; empty for what the bundler added. */
function originsOf({ code, map }: Rolldown.OutputChunk): string[] {
  const sources = new SourceMap(map as unknown as SourceMapPayload);
  return code.split("\n").flatMap((line, row) =>
    Array.from({ length: line.length + 1 }, (_, column) => {
      const entry = sources.findEntry(row, column);
      const source = "originalSource" in entry ? (entry.originalSource as string | undefined) : undefined;
      return source?.replace(/^.*?(?=(?:src|shaders|page\.js))/, "") ?? "";
    }),
  );
}

const gzip = (text: string): number => gzipSync(text).length;

function report(title: string, code: string, parts: readonly string[]): void {
  const whole = gzip(code);
  const names = [...new Set(parts)];
  const rows = names.map((name) => {
    const others = Array.from(code).filter((_, i) => parts[i] !== name);
    return { name: name || "the bundler", bytes: whole - gzip(others.join("")) };
  });
  console.log(`\n${title}: ${String(whole)} bytes in all`);
  for (const { name, bytes } of rows.sort((a, b) => b.bytes - a.bytes)) console.log(String(bytes).padStart(7), name);
}

const script = await bundle(process.argv[2] ?? "forward");
const origins = originsOf(script);
report(
  "By folder",
  script.code,
  origins.map((origin) => origin.split("/").slice(0, 2).join("/")),
);
report("By module", script.code, origins);
