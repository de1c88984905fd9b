/**
 * Measures how far results lie from the float64 reference, by solver, pass and dtype, and writes docs/accuracy.md.
 * `npm run accuracy`; another file may be named.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createEngine } from "webgpu-conv/node";
import { EQUAL_TERMS, LAYERS } from "./layers.js";
import { measureEqual, measureLayer, type Row } from "./measure.js";
import { report } from "./report.js";

const [file = "docs/accuracy.md"] = process.argv.slice(2);
const tell = (what: string): void => {
  process.stderr.write(`${what}\n`);
};
const engine = await createEngine();
try {
  const rows: Row[] = [];
  for (const layer of LAYERS) rows.push(...(await measureLayer(engine, layer, tell)));
  const equal: { readonly terms: number; readonly errors: Map<string, number> }[] = [];
  for (const shape of EQUAL_TERMS) {
    const terms = shape.reduce((product, extent) => product * extent, 1);
    tell(`${String(terms)} equal terms`);
    equal.push({ terms, errors: await measureEqual(engine, shape) });
  }
  // What follows is kept: it is written by hand and by tinyMain.ts.
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  const kept = /\n## Zeros of padding\n[^]*/.exec(before)?.[0] ?? "";
  writeFileSync(file, report(engine.adapter.description, rows, equal) + kept);
  tell(`written to ${file}`);
} finally {
  engine.dispose();
}
