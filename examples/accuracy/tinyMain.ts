/**
 * Measures what becomes of subnormal numbers and -0, and puts it into docs/accuracy.md in place of what the file has of this device.
 * `npm run accuracy:tiny`; another file may be named.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createEngine } from "webgpu-conv/node";
import { measureTiny, tinySection } from "./tiny.js";

const [file = "docs/accuracy.md"] = process.argv.slice(2);
const engine = await createEngine();
try {
  const device = `${engine.adapter.description}, in Node`;
  const section = tinySection(device, await measureTiny(engine));
  const sections = readFileSync(file, "utf8").split(/^(?=###? )/m);
  const at = sections.findIndex((text) => text.startsWith(`### ${device}\n`));
  if (at < 0) sections.push(section);
  else sections[at] = section;
  writeFileSync(
    file,
    sections
      .map((text) => `${text.trimEnd()}\n\n`)
      .join("")
      .trimEnd() + "\n",
  );
} finally {
  engine.dispose();
}
