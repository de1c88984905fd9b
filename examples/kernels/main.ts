/**
 * `npm run kernels`: what the engine plans for layers of well-known networks, and with `-- --model NAME` what the compiler of that
 * GPU makes of it. `-- --docs` writes docs/kernels.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { format, resolveConfig } from "prettier";
import type { Capabilities } from "../../src/planning/capabilities.js";
import { chooseCases } from "./cases.js";
import { type Arguments, parseArguments } from "./commandLine.js";
import { compilersFolder, compilersMissing } from "./compilers.js";
import { compileRows, DESCRIBED, type Device, type Places, planRows } from "./devices.js";
import { documentModels, documentOf } from "./document.js";
import { deviceReport } from "./report.js";

const ROOT = resolve(import.meta.dirname, "../..");
const DOCUMENT = join(ROOT, "docs", "kernels.md");

const tell = (words: string): void => {
  process.stderr.write(`${words}\n`);
};

/** Where the compilers are, or an end with the reason. */
function demandCompilers(): Places {
  const folder = compilersFolder(ROOT, process.env);
  const missing = compilersMissing(folder);
  if (missing !== undefined) throw new Error(`there are no compilers of GPUs: ${missing}`);
  return { folder, script: join(import.meta.dirname, "compile.js") };
}

function describedCapabilities({ capabilities: file, class: deviceClass }: Arguments): Capabilities {
  const described = file === undefined ? DESCRIBED : (JSON.parse(readFileSync(file, "utf8")) as Capabilities);
  return deviceClass === undefined ? described : { ...described, deviceClass, classifiedBy: "the caller" };
}

async function reportPlans(given: Arguments): Promise<void> {
  const capabilities = describedCapabilities(given);
  console.log(
    `Plans for ${given.capabilities ?? "a described GPU"} of the class ${capabilities.deviceClass}; nothing is compiled: ` +
      "--model names a GPU whose compiler is asked.\n",
  );
  console.log(deviceReport(await planRows(chooseCases(given), capabilities)));
}

async function reportModel(model: string, given: Arguments): Promise<void> {
  const { adapter, capabilities, rows } = await compileRows(model, chooseCases(given), demandCompilers(), tell);
  console.log(`${adapter}, of the class ${capabilities.deviceClass}\n`);
  console.log(deviceReport(rows));
}

async function writeDocument(models: readonly string[], given: Arguments): Promise<void> {
  const places = demandCompilers();
  const devices = new Map<string, Device>();
  for (const model of models) devices.set(model, await compileRows(model, chooseCases(given), places, tell));
  const options = await resolveConfig(DOCUMENT);
  writeFileSync(DOCUMENT, await format(documentOf(devices), { ...options, filepath: DOCUMENT }));
  tell(`written to ${DOCUMENT}`);
}

const given = parseArguments(process.argv.slice(2));
if (given.docs !== undefined && given.docs !== false) await writeDocument(documentModels(given.docs), given);
else if (given.model === undefined) await reportPlans(given);
else await reportModel(given.model, given);
