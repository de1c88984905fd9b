/** What the engine plans for a pass of a layer, by its default choice on a device that capabilities describe. */
import { createHash } from "node:crypto";
import { bytesOf, flopsOf } from "../../src/calls/explain.js";
import { evaluateInteger, integerConstants } from "../../src/kernels/constants.js";
import { loadKernel } from "../../src/kernels/kernel.js";
import { specialize } from "../../src/kernels/specialize.js";
import type { Capabilities } from "../../src/planning/capabilities.js";
import type { SolverChoice } from "../../src/planning/choice.js";
import { DEVICES } from "../../src/planning/devices.js";
import { type BindingSource, type Dispatch, type SolverPlan, workspaceBytes } from "../../src/planning/solver.js";
import { usefulShare } from "../../src/planning/work.js";
import { BYTES_PER_ELEMENT, type DType } from "../../src/problem/dtype.js";
import { product } from "../../src/problem/geometry.js";
import {
  type ConvOperation,
  type Direction,
  NOTHING_FUSED,
  shapeOfRole,
  type TensorRole,
} from "../../src/problem/operation.js";
import { select } from "../../src/solvers/select.js";
import { type Layer, problemOf } from "./layers.js";

export const PASSES = ["forward", "input gradient", "weight gradient"] as const;
export type Pass = (typeof PASSES)[number];

/** A pass of a layer, in a layout and a dtype. */
export interface Case {
  readonly layer: Layer;
  readonly batch: number;
  readonly pass: Pass;
  readonly layout: "channels-first" | "channels-last";
  readonly dtype: DType;
}

/** A kernel as it is compiled: cases share many. */
export interface Text {
  /** Of the text and the bindings. */
  readonly key: string;
  readonly name: string;
  readonly code: string;
  readonly bindings: readonly { readonly binding: number; readonly access: "read" | "read_write" }[];
}

export interface PlannedDispatch {
  readonly text: Text;
  readonly workgroups: number;
  /** Threads of all workgroups. */
  readonly threads: number;
  readonly multiplyAdds: number;
}

export interface Planned extends Case {
  readonly solver: string;
  /** Tile or configuration, in short. */
  readonly shape: string;
  /** Those of a chunk, where it is planned in chunks. */
  readonly dispatches: readonly PlannedDispatch[];
  /** The dispatch that multiplies. */
  readonly main: PlannedDispatch;
  readonly usefulShare: number;
  readonly scratchBytes: number;
  /** Bytes that the dispatches read and write, each buffer once a dispatch: caches hold what a dispatch reads again. */
  readonly movedBytes: number;
  /** Bytes of every operand and result, each once. */
  readonly leastBytes: number;
  readonly flops: number;
  /** Threads that fill the device, as its class' record says. */
  readonly fillThreads: number;
}

/** A transposed layer's forward pass is a convolution's input gradient, and the other way round. */
function directionOf({ layer, pass }: Case): Direction {
  if (pass === "weight gradient") return "weightGradient";
  return (pass === "forward") === layer.transposed ? "inputGradient" : "forward";
}

export function operationOf(wanted: Case): ConvOperation {
  const { layer, batch, layout, dtype } = wanted;
  return { ...NOTHING_FUSED, direction: directionOf(wanted), problem: problemOf(layer, batch, layout), dtype };
}

/** @param choice the engine's default when absent */
export async function planCase(wanted: Case, capabilities: Capabilities, choice?: SolverChoice): Promise<Planned> {
  const operation = operationOf(wanted);
  const { plan } = select(operation, capabilities, choice);
  const dispatches = await describeDispatches(plan);
  const main = dispatches.reduce((most, step) => (step.multiplyAdds > most.multiplyAdds ? step : most));
  return {
    ...wanted,
    solver: plan.solver,
    shape: shapeOf(plan),
    dispatches,
    main,
    usefulShare: usefulShare(operation, plan) ?? NaN,
    scratchBytes: workspaceBytes(plan),
    movedBytes: movedBytes(operation, plan),
    leastBytes: bytesOf(operation),
    flops: flopsOf(operation),
    fillThreads: DEVICES[capabilities.deviceClass].fillThreads,
  };
}

/** Dispatches of kernels with constants and types of their own: a plan in chunks has each of its kernels several times. */
function distinct({ dispatches }: SolverPlan): readonly Dispatch[] {
  const keyOf = ({ kernel, constants, types }: Dispatch): string => JSON.stringify([kernel.name, constants, types]);
  const firsts = new Map([...dispatches].reverse().map((step) => [keyOf(step), step]));
  return dispatches.filter((step) => firsts.get(keyOf(step)) === step);
}

/** What a plan compiles, each kernel once. */
export const describeDispatches = (plan: SolverPlan): Promise<PlannedDispatch[]> =>
  Promise.all(distinct(plan).map(describe));

async function describe(step: Dispatch): Promise<PlannedDispatch> {
  const text = await textOf(step);
  const workgroups = product(step.workgroups);
  return { text, workgroups, threads: workgroups * workgroupThreads(text.code), multiplyAdds: step.multiplyAdds ?? 0 };
}

async function textOf({ kernel, constants, types }: Dispatch): Promise<Text> {
  const code = specialize(await loadKernel(kernel, constants.FORMULA === true), constants, types);
  const bindings = Object.values(kernel.bindings);
  const key = createHash("sha1").update(code).update(JSON.stringify(bindings)).digest("hex");
  return { key, name: kernel.name, code, bindings };
}

/** Threads of a workgroup, as a kernel's text says. */
export function workgroupThreads(code: string): number {
  const sizes = /@workgroup_size\(([^)]*)\)/.exec(code)?.[1].split(",") ?? [];
  const constants = integerConstants(code);
  return sizes
    .filter((size) => size.trim() !== "")
    .reduce((threads, size) => threads * evaluateInteger(size, constants), 1);
}

/** "128x128x8", "F(4) 64x64x16", "F(4) m 8 places 1 unroll 4", "m 1 columns 4 rows 64": M, N and K of a tile, or knobs. */
function shapeOf({ dispatches, config, solver }: SolverPlan): string {
  const isWinograd = solver === "winograd";
  const nameOf = ({ constants }: Dispatch) => tileOf(constants) ?? (isWinograd ? scalarTileOf(constants) : undefined);
  const tile = dispatches.map(nameOf).find((name) => name !== undefined);
  const parts = [isWinograd ? `F(${String(config.tile)})` : "", tile ?? ""].filter((part) => part !== "");
  if (parts.length > 0) return parts.join(" ");
  const knobs = Object.entries(config).filter(([name]) => name !== "threads");
  return knobs.map(([name, value]) => `${name.replace("PerThread", "")} ${String(value)}`).join(" ");
}

/** M, N and K of a tile in workgroup memory; undefined where a kernel has none. */
function tileOf(constants: Dispatch["constants"]): string | undefined {
  if (!("TILE_K" in constants)) return undefined;
  const of = (name: string): number => Number(constants[name]);
  const [m, n] = [of("M_PER_THREAD") * of("THREADS_M"), 4 * of("VECTORS_PER_THREAD") * of("THREADS_N")];
  return `${String(m)}x${String(n)}x${String(of("TILE_K"))}`;
}

/** The scalar tile of Winograd's product; undefined of other kernels. */
function scalarTileOf(constants: Dispatch["constants"]): string | undefined {
  if (!("PLACES_PER_THREAD" in constants)) return undefined;
  const of = (name: string): string => String(constants[name]);
  return `m ${of("M_PER_THREAD")} places ${of("PLACES_PER_THREAD")} unroll ${of("UNROLL")}`;
}

/** Dispatches of the same kernel on a tensor, chunk after chunk, share it: together they count it once. */
function movedBytes(operation: ConvOperation, { dispatches, scratchBytes }: SolverPlan): number {
  const scratch: Partial<Record<BindingSource, number>> = scratchBytes;
  const bytesOfRole = (role: TensorRole): number =>
    BYTES_PER_ELEMENT[operation.dtype] * product(shapeOfRole(operation, role));
  const shared = new Set<string>();
  let bytes = 0;
  for (const { kernel, bindings } of dispatches) {
    for (const source of new Set(Object.values(bindings))) {
      const ofKernel = `${kernel.name} ${source}`;
      if (source === "unused" || shared.has(ofKernel)) continue;
      if (!(source in scratch)) shared.add(ofKernel);
      bytes += scratch[source] ?? bytesOfRole(source as TensorRole);
    }
  }
  return bytes;
}

/** Result channels of a group from which a pass is a product of matrices, whatever solves it. */
const FEWEST_ROWS = 8;

/** Whether a pass is a product of matrices, as opposed to one of few channels. */
export function isGemmLike(wanted: Case): boolean {
  const { problem, direction } = operationOf(wanted);
  const rows = direction === "inputGradient" ? problem.inChannelsPerGroup : problem.outChannelsPerGroup;
  return rows >= FEWEST_ROWS;
}
