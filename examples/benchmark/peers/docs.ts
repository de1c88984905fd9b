/** docs/benchmarks.md, from the results of whole runs that lie in docs/benchmarks/: one a device. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { format } from "prettier";
import { drawChart } from "./chart.js";
import type { Device } from "./commandLine.js";
import { formatNetworks } from "./networks/table.js";
import { mergeReports, type PartReport, type PeerReport, type Results } from "./row.js";
import { formatMeans, formatRemarks, formatTable } from "./table.js";
import { formatTraining } from "./training/table.js";

const DOCS = join(import.meta.dirname, "../../../docs");
const RESULTS = join(DOCS, "benchmarks");
const PRINT_WIDTH = 120;

const INTRODUCTION = `# Benchmarks against the peers

Written by \`npm run bench:peers -- --write-docs\`; what is measured and how is told in
[examples/benchmark/peers](../examples/benchmark/peers/README.md). A software device runs on the CPU: there only ratios
within one run mean anything, and they tell little about GPUs.`;

/** Adds a run's results, or puts them in the place of older ones from the same device. */
export async function writeDocs(results: Results, device: Device): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  const { adapter } = results.layers ?? results.training ?? results.networks ?? { adapter: "" };
  const name = device === "default" ? fileName(adapter) : device;
  const file = join(RESULTS, `${name}.json`);
  const report = mergeReports(existsSync(file) ? await readReport(file) : undefined, results);
  if (!report) throw new Error(`${name} has no results of layers yet: run without --only training first`);
  await writeFile(file, await format(JSON.stringify(report), { parser: "json", printWidth: PRINT_WIDTH }));
  await writeFile(join(RESULTS, `${name}.svg`), await drawChart(report));
  const files = (await readdir(RESULTS)).filter((one) => one.endsWith(".json")).sort();
  const sections = await Promise.all(files.map(readSection));
  const text = [INTRODUCTION, ...sections].join("\n\n");
  await writeFile(join(DOCS, "benchmarks.md"), await format(text, { parser: "markdown", printWidth: PRINT_WIDTH }));
}

const readReport = async (file: string): Promise<PeerReport> => JSON.parse(await readFile(file, "utf8")) as PeerReport;

/** The adapter's name without what it says in parentheses, in letters that suit a file. */
function fileName(adapter: string): string {
  const words = adapter
    .replaceAll(/\(.*?\)/g, " ")
    .toLowerCase()
    .match(/[a-z0-9]+/g) ?? ["adapter"];
  return words.join("-");
}

async function readSection(file: string): Promise<string> {
  const report = await readReport(join(RESULTS, file));
  const { adapter, tuned, training, networks } = report;
  const facts = formatFacts(report, `; webgpu-conv ${tuned ? "tuned by measuring" : "not tuned"}`);
  const image = `![GFLOP/s of each engine, by layer and pass](benchmarks/${file.replace(/json$/, "svg")})`;
  const parts = [`## ${adapter}`, facts, image, formatMeans(report), formatTable(report), ...formatRemarks(report)];
  const trained = training ? ["### Training", formatFacts(training, ""), formatTraining(training)] : [];
  const published = networks ? ["### Networks", formatFacts(networks, ""), formatNetworks(networks)] : [];
  return [...parts, ...trained, ...published].join("\n\n");
}

function formatFacts({ adapter, platform, date, rounds, engines }: PartReport, more: string): string {
  const versions = Object.entries(engines).map(([engine, version]) => `${engine} ${version}`);
  return [
    `- Adapter: ${adapter}`,
    `- In: ${platform}`,
    `- Engines: ${versions.join(", ")}`,
    `- Date: ${date}; medians of ${rounds} rounds${more}`,
  ].join("\n");
}
