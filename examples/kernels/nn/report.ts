/** What operations of networks become: their kernels on GPUs, and the bytes that they move beside the fewest. */
import type { Capabilities } from "../../../src/planning/capabilities.js";
import { type BindingSource, type Dispatch, workspaceBytes } from "../../../src/planning/solver.js";
import {
  named,
  selectTensorSolver,
  type TensorOperation,
  type TensorSpec,
} from "../../../src/planning/tensorOperation.js";
import { BYTES_PER_ELEMENT } from "../../../src/problem/dtype.js";
import { product } from "../../../src/problem/geometry.js";
import { Compiler } from "../compilers.js";
import { type Places } from "../devices.js";
import type { Compiled } from "../machine/statistics.js";
import { wordsOf } from "../models.js";
import { describeDispatches, type PlannedDispatch } from "../plan.js";
import { fixed, table } from "../table.js";
import { NETWORK_CASES } from "./list.js";
import { operationsOf } from "./recorded.js";

/** An operation of a case, as it is planned. */
export interface NetworkRow {
  readonly name: string;
  readonly operation: string;
  readonly dispatches: readonly PlannedDispatch[];
  /** Bytes that its dispatches read and write, each buffer once a dispatch: caches hold what a dispatch reads again. */
  readonly movedBytes: number;
  /** Of every operand and result, each once; of what it changes in place, and of gradients whose norm decides, twice. */
  readonly leastBytes: number;
  readonly compiled: ReadonlyMap<string, Compiled>;
}

const bytesOf = ({ shape, dtype }: TensorSpec): number => BYTES_PER_ELEMENT[dtype] * product(shape);

/** Kernels that read or write a part of what they are bound to: elements of it, by what is bound; undefined for all. */
const PARTS: Readonly<Partial<Record<string, (step: Dispatch, binding: string) => number | undefined>>> = {
  copy_slice: ({ uniforms }) => Number(uniforms.elements),
  // The first value of each set, which its others were shifted by.
  merge_statistics: ({ workgroups }, binding) => (binding === "x" ? product(workgroups) : undefined),
};

/** What is updated is read and written. */
function movedBytes(
  { operands, results, updates = [] }: TensorOperation,
  dispatches: readonly Dispatch[],
  scratch: Readonly<Record<string, number>>,
): number {
  const specs = new Map<BindingSource, TensorSpec>(
    Object.entries({ ...operands, ...results }).map(([name, spec]) => [named(name), spec]),
  );
  const updated = new Set<BindingSource>(updates.map(named));
  const bytesAt = (step: Dispatch, binding: string, source: BindingSource): number => {
    const spec = specs.get(source);
    const part = PARTS[step.kernel.name]?.(step, binding);
    if (spec && part !== undefined) return BYTES_PER_ELEMENT[spec.dtype] * part;
    return (updated.has(source) ? 2 : 1) * (spec ? bytesOf(spec) : (scratch[source] ?? 0));
  };
  return dispatches.reduce((sum, step) => {
    const bound = new Map(Object.entries(step.bindings).map(([binding, source]) => [source, binding]));
    return sum + [...bound].reduce((own, [source, binding]) => own + bytesAt(step, binding, source), 0);
  }, 0);
}

/** What an update reads before it may begin: all gradients, for their norm. */
function readBefore({ operands, updates = [] }: TensorOperation, dispatches: readonly Dispatch[]): TensorSpec[] {
  if (updates.length === 0) return [];
  const read = dispatches
    .filter(({ kernel }) => kernel.name === "sum_squares")
    .flatMap((step) => Object.values(step.bindings));
  return Object.entries(operands).flatMap(([name, spec]) => (read.includes(named(name)) ? [spec] : []));
}

function leastBytes(operation: TensorOperation, dispatches: readonly Dispatch[]): number {
  const { operands, results, updates = [] } = operation;
  const all = [
    ...Object.values(operands),
    ...Object.values(results),
    ...updates.map((name) => operands[name]),
    ...readBefore(operation, dispatches),
  ];
  return all.reduce((sum, spec) => sum + bytesOf(spec), 0);
}

/** Rows of all cases whose names, and those of their operations, have all these words. */
export async function planNetworkRows(
  filter: string,
  capabilities: Capabilities,
  compile: (dispatches: readonly PlannedDispatch[]) => Promise<ReadonlyMap<string, Compiled>>,
): Promise<NetworkRow[]> {
  const rows: NetworkRow[] = [];
  const words = filter.toLowerCase().split(/\s+/);
  for (const { name, run } of NETWORK_CASES) {
    const seen = new Set<string>();
    for (const operation of operationsOf(run)) {
      const key = `${operation.name} ${operation.key}`;
      const text = `${name} ${operation.name}`.toLowerCase();
      if (seen.has(key) || !words.every((word) => text.includes(word))) continue;
      seen.add(key);
      const { plan } = selectTensorSolver(operation, capabilities);
      const dispatches = await describeDispatches(plan);
      const scratch = workspaceBytes(plan) > 0 ? plan.scratchBytes : {};
      rows.push({
        name,
        operation: operation.name,
        dispatches,
        movedBytes: movedBytes(operation, plan.dispatches, scratch),
        leastBytes: leastBytes(operation, plan.dispatches),
        compiled: await compile(dispatches),
      });
    }
  }
  return rows;
}

/** Of the model's compiler. */
export async function compileNetworkRows(
  model: string,
  filter: string,
  { folder, script }: Places,
): Promise<NetworkRow[]> {
  const compiler = new Compiler(model, folder, script);
  try {
    const { capabilities } = await compiler.greeting();
    return await planNetworkRows(filter, capabilities, async (dispatches) => {
      const compiled = new Map<string, Compiled>();
      for (const { text } of dispatches) {
        const result = await compiler.compile(text);
        if (result) compiled.set(text.key, result);
      }
      return compiled;
    });
  } finally {
    compiler.close();
  }
}

/** "48 w16": most registers, fewest waves; "48 s3:5": registers spilled, and filled, where there are. */
function cellOf(row: NetworkRow | undefined): string {
  const all = [...(row?.compiled.values() ?? [])];
  if (all.length === 0) return "";
  const waves = all.flatMap(({ waves: own }) => own ?? []);
  const [spills, fills] = [all.reduce((sum, one) => sum + one.spills, 0), all.reduce((sum, one) => sum + one.fills, 0)];
  return [
    String(Math.max(...all.map(({ registers }) => registers))),
    waves.length > 0 ? `w${String(Math.min(...waves))}` : "",
    spills + fills > 0 ? `s${String(spills)}:${String(fills)}` : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** A row an operation, with a column a model. */
export function networkTable(models: ReadonlyMap<string, readonly NetworkRow[]>): string {
  const [first] = models.values();
  return table(
    [
      { title: "case", isText: true, cell: ({ row: { name } }) => name },
      { title: "operation", isText: true, cell: ({ row: { operation } }) => operation },
      {
        title: "kernels",
        isText: true,
        cell: ({ row: { dispatches } }) => dispatches.map(({ text }) => text.name.replaceAll("_", " ")).join(", "),
      },
      { title: "moved / least", cell: ({ row: { movedBytes: moved, leastBytes: least } }) => fixed(moved / least, 2) },
      ...[...models].map(([model, rows]) => ({ title: model, cell: ({ i }: { i: number }) => cellOf(rows[i]) })),
    ],
    first.map((row, i) => ({ row, i })),
  );
}

/** docs/kernels-nn.md, not yet formatted. */
export function networkDocument(models: ReadonlyMap<string, readonly NetworkRow[]>): string {
  const list = [...models.keys()].map((model) => `- ${model}: ${wordsOf(model)}\n`).join("");
  return [
    "# Kernels of networks on GPUs\n",
    "Made by `npm run kernels -- --nn --docs`: what operations of `webgpu-conv/nn` are planned as, float32, and what the compilers of real\nGPUs make of their kernels. Nothing is run. `npm run kernels -- --nn --model navi21 --filter pool` tells those of one.\n",
    list,
    "Columns: *moved / least* is the bytes of what each dispatch reads and writes, each buffer once a dispatch, beside those of every operand\nand result once. A model's cell has the most registers of the operation's kernels; the fewest waves a SIMD (w), where the driver tells;\nand registers spilled and filled (s), where there are any.\n",
    "Norms by the values' own statistics read these once where a workgroup holds a set in its registers. Elsewhere they read them twice, and\n1.5 and 1.67 are the fewest: channels of large batches, and sets of which few channels lie together. Sums of layer norm's rows for weight\nand bias are written in parts, 1 for 16 rows. Clipping by the norm reads gradients twice, since no update may begin before all are\nread: the least counts them so.\n",
    networkTable(models),
  ].join("\n");
}
