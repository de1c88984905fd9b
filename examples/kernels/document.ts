/** docs/kernels.md: what several GPUs get. */
import { variantOf } from "./cases.js";
import type { Device } from "./devices.js";
import { multiplyAddShare } from "./machine/statistics.js";
import { MODELS, wordsOf } from "./models.js";
import { LEGEND, summariesOf, variantSummaries } from "./report.js";
import { fewestWaves, fill, instructionsEach, mainCompiled, type Row, scratchInLoops } from "./rows.js";
import { summaryTable } from "./summary.js";
import { type Column, fixed, percent, table } from "./table.js";

const MEGABYTE = 1e6;

/** By the model's name. */
export type Devices = ReadonlyMap<string, Device>;

const prefixed = (model: string, summaries: ReturnType<typeof summariesOf>): ReturnType<typeof summariesOf> =>
  summaries.map((summary) => ({ ...summary, group: [model, ...summary.group] }));

function deviceTable(devices: Devices): string {
  return table<readonly [string, Device]>(
    [
      { title: "model", isText: true, cell: ([name]) => name },
      { title: "GPU", isText: true, cell: ([name]) => wordsOf(name) },
      { title: "class", isText: true, cell: ([, { capabilities }]) => capabilities.deviceClass },
      { title: "compiler", isText: true, cell: ([, { adapter }]) => /Mesa [\d.]+\d/.exec(adapter)?.[0] ?? adapter },
    ],
    [...devices],
  );
}

/** A row of each model, of the same case; `rows` are of models whose plans are equal. */
interface Shared {
  readonly row: Row;
  readonly rows: ReadonlyMap<string, Row>;
}

const identityOf = ({ planned }: Row): string =>
  JSON.stringify([
    planned.solver,
    planned.shape,
    planned.dispatches.map(({ text, workgroups }) => [text.name, workgroups]),
  ]);

/** Rows of the plans of all models, those with equal plans in one. */
function shareRows(devices: Devices, index: number): Shared[] {
  const byPlan = new Map<string, Map<string, Row>>();
  for (const [name, { rows }] of devices) {
    const row = rows[index];
    const key = identityOf(row);
    const same = byPlan.get(key) ?? new Map<string, Row>();
    byPlan.set(key, same.set(name, row));
  }
  return [...byPlan.values()].map((rows) => ({ row: [...rows.values()][0], rows }));
}

/** "93 w8": share of the hot loop's issue slots, waves; "27 s253": scratch accesses in loops. */
function cellOf(row: Row | undefined): string {
  const main = row && mainCompiled(row);
  if (!row || !main) return "";
  const waves = fewestWaves(row);
  const scratch = scratchInLoops(row);
  const share = main.vendor === "intel" ? fixed(instructionsEach(row), 1) : percent(multiplyAddShare(main));
  return [share, waves === undefined ? "" : `w${waves}`, scratch > 0 ? `s${scratch}` : ""]
    .filter((part) => part !== "")
    .join(" ");
}

const layerColumns = (models: readonly string[]): readonly Column<Shared>[] => [
  { title: "layer", isText: true, cell: ({ row: { planned } }) => planned.layer.name },
  { title: "batch", cell: ({ row: { planned } }) => String(planned.batch) },
  { title: "pass", isText: true, cell: ({ row: { planned } }) => planned.pass.replace(" gradient", "") },
  { title: "plan", isText: true, cell: ({ row: { planned } }) => `${planned.solver} ${planned.shape}` },
  { title: "useful", cell: ({ row: { planned } }) => percent(planned.usefulShare) },
  { title: "fill", cell: ({ row }) => percent(fill(row)) },
  { title: "MB", cell: ({ row: { planned } }) => (planned.scratchBytes / MEGABYTE).toFixed(1) },
  { title: "moved", cell: ({ row: { planned } }) => (planned.movedBytes / planned.leastBytes).toFixed(1) },
  { title: "F/B", cell: ({ row: { planned } }) => (planned.flops / planned.leastBytes).toFixed(0) },
  ...models.map((name): Column<Shared> => ({ title: name, cell: ({ rows }) => cellOf(rows.get(name)) })),
];

function layerTables(devices: Devices): string[] {
  const [{ rows }] = [...devices.values()];
  const plain = rows.flatMap(({ planned }, index) => (variantOf(planned) === "" ? [{ planned, index }] : []));
  const networks = [...new Set(plain.map(({ planned }) => planned.layer.network))];
  return networks.flatMap((network) => {
    const indices = plain.filter(({ planned }) => planned.layer.network === network).map(({ index }) => index);
    return [
      `### ${network}\n`,
      table(
        layerColumns([...devices.keys()]),
        indices.flatMap((index) => shareRows(devices, index)),
      ),
    ];
  });
}

/** Kernels of which one model or another spills in loops, or holds few subgroups: those that multiply, by tile. */
interface Trouble {
  readonly name: string;
  readonly plans: number;
  readonly worst: ReadonlyMap<string, string>;
}

const FEWEST_WAVES = 4;

function troubles(devices: Devices): Trouble[] {
  const found = new Map<string, { indices: Set<number>; worst: Map<string, Row> }>();
  for (const [model, { rows }] of devices) {
    for (const [index, row] of rows.entries()) {
      const isTroubled = scratchInLoops(row) > 0 || (fewestWaves(row) ?? FEWEST_WAVES) < FEWEST_WAVES;
      if (!isTroubled || variantOf(row.planned) !== "") continue;
      const { planned } = row;
      const key = `${planned.solver} ${planned.shape}, ${planned.main.text.name.replaceAll("_", " ")}`;
      const entry = found.get(key) ?? { indices: new Set<number>(), worst: new Map<string, Row>() };
      found.set(key, entry);
      entry.indices.add(index);
      const before = entry.worst.get(model);
      if (!before || scratchInLoops(row) > scratchInLoops(before)) entry.worst.set(model, row);
    }
  }
  return [...found].map(([name, { indices, worst }]) => ({
    name,
    plans: indices.size,
    worst: new Map([...worst].map(([model, row]) => [model, cellOf(row)])),
  }));
}

function troubleTable(devices: Devices): string {
  const list = troubles(devices).sort((one, other) => other.plans - one.plans);
  return table<Trouble>(
    [
      { title: "plan, kernel that multiplies", isText: true, cell: ({ name }) => name },
      { title: "plans", cell: ({ plans }) => String(plans) },
      ...[...devices.keys()].map((model): Column<Trouble> => ({
        title: model,
        cell: ({ worst }) => worst.get(model) ?? "",
      })),
    ],
    list,
  );
}

/** The document, not yet formatted. */
export function documentOf(devices: Devices): string {
  const summaries = [...devices].flatMap(([name, { rows }]) => prefixed(name, summariesOf(rows)));
  const variants = [...devices].flatMap(([name, { rows }]) => prefixed(name, variantSummaries(rows)));
  return [
    "# Kernels on GPUs\n",
    "Made by `npm run kernels -- --docs`: what the engine plans by default for layers of well-known networks, and what the compilers of\nreal GPUs make of its kernels. The compilers run without the GPUs; nothing is timed, and bounds leave out latency, barriers and\nmemory. `npm run kernels` plans without them; `npm run kernels -- --model navi21 --filter resnet` tells more of one.\n",
    deviceTable(devices),
    "## What the columns say\n",
    LEGEND.split("\n")
      .map((line) => `- ${line}\n`)
      .join(""),
    "## Summary\n",
    "Float32, channels-first. *x share* is the useful share times the multiply-adds' share of the hot loop: the part of the device's\narithmetic that the instructions leave.\n",
    summaryTable(["model", "batch", "pass"], summaries),
    "## Other layouts and dtypes\n",
    "One layer of each kind, both batches, all passes.\n",
    summaryTable(["model", "form"], variants),
    "## Plans that spill in loops, or hold few waves\n",
    "Cells are of the worst plan: AMD's share in percent and waves (w), Intel's instructions to a multiply-add; accesses of scratch in loops (s).\n",
    troubleTable(devices),
    "## Layers\n",
    "Cells of models as above. Models whose plans differ have rows of their own. MB: scratch memory.\n",
    ...layerTables(devices),
  ].join("\n");
}

/** The models of the document: all, or those named. */
export const documentModels = (named: boolean | string): readonly string[] =>
  typeof named === "string" ? named.split(",") : MODELS.map(({ name }) => name);
