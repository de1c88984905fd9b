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
import { compileNetworkRows, networkDocument, type NetworkRow, networkTable, planNetworkRows } from "./nn/report.js";
import { deviceReport } from "./report.js";

const ROOT = resolve(import.meta.dirname, "../..");
const DOCUMENT = join(ROOT, "docs", "kernels.md");
const NETWORK_DOCUMENT = join(ROOT, "docs", "kernels-nn.md");

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
  await writeFormatted(DOCUMENT, documentOf(devices));
}

async function writeFormatted(file: string, text: string): Promise<void> {
  const options = await resolveConfig(file);
  writeFileSync(file, await format(text, { ...options, filepath: file }));
  tell(`written to ${file}`);
}

/** Operations of networks: on the models of the document, on one, or planned alone. */
async function reportNetworks({ filter, docs, model }: Arguments): Promise<void> {
  if (docs === undefined && model === undefined) {
    const rows = await planNetworkRows(filter, DESCRIBED, () => Promise.resolve(new Map()));
    console.log(networkTable(new Map([["planned", rows]])));
    return;
  }
  const places = demandCompilers();
  const models = new Map<string, readonly NetworkRow[]>();
  for (const one of docs === undefined ? [model ?? ""] : documentModels(docs)) {
    models.set(one, await compileNetworkRows(one, filter, places));
    tell(`${one}: ${String(models.get(one)?.length)} operations`);
  }
  if (docs === undefined) console.log(networkTable(models));
  else await writeFormatted(NETWORK_DOCUMENT, networkDocument(models));
}

const given = parseArguments(process.argv.slice(2));
if (given.nn === true) await reportNetworks(given);
else if (given.docs !== undefined && given.docs !== false) await writeDocument(documentModels(given.docs), given);
else if (given.model === undefined) await reportPlans(given);
else await reportModel(given.model, given);
