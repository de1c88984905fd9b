/** What a driver tells of a pipeline: its line of statistics, and its machine code. */
import { readAmd } from "./amd.js";
import { readIntel } from "./intel.js";
import { findHotLoop, findLoops, type HotLoop, instructionsOf, scratchInLoops } from "./loops.js";

export type Vendor = "amd" | "intel";

/** A line "PIPELINE 3 ... | compute subgroup 64 | VGPRs=64; Spilled VGPRs=0; ...". */
export interface Statistics {
  /** Of the pipeline, in the order in which they were made: its machine code bears it. */
  readonly number: number;
  readonly vendor: Vendor;
  /** Lanes of a subgroup. */
  readonly subgroup: number;
  /** AMD: registers of a lane, of 256. Intel: registers of a subgroup that live at once, of 128, Xe2 256. */
  readonly registers: number;
  /** Subgroups of 32 lanes that a SIMD holds (GCN: of 64); undefined where the driver does not tell. */
  readonly waves: number | undefined;
  /** Registers written to scratch and read back: everywhere, not in loops alone. */
  readonly spills: number;
  readonly fills: number;
  readonly instructions: number;
}

/** A driver's statistics as numbers by their names. */
function readValues(line: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const [, name, value] of line.matchAll(/(?:[;|])\s*([^;|=]+)=([-\d.e+]+)/g))
    values.set(name.trim(), Number(value));
  return values;
}

/** Reads a line of statistics; undefined where it is none, or the pipeline failed. */
export function readStatistics(line: string): Statistics | undefined {
  const number = /^PIPELINE (\d+) /.exec(line)?.[1];
  if (number === undefined) return undefined;
  const values = readValues(line);
  const of = (name: string): number => values.get(name) ?? 0;
  const common = { number: Number(number), subgroup: Number(/\| \S+ subgroup (\d+) \|/.exec(line)?.[1] ?? 0) };
  if (values.has("VGPRs")) {
    const spills = of("Spilled VGPRs");
    const waves = values.get("Subgroups per SIMD");
    return {
      ...common,
      vendor: "amd",
      registers: of("VGPRs"),
      waves,
      spills,
      fills: 0,
      instructions: of("Instructions"),
    };
  }
  if (!values.has("Max live registers")) return undefined;
  return {
    ...common,
    vendor: "intel",
    registers: of("Max live registers"),
    waves: undefined,
    spills: of("Spill Count"),
    fills: of("Fill Count"),
    instructions: of("Instruction Count"),
  };
}

/** What the compiler made of a kernel. */
export interface Compiled extends Statistics {
  readonly scratchInLoops: number;
  readonly hotLoop: HotLoop | undefined;
}

/** @param text the driver's representations of the pipeline, the machine code last */
export function readCompiled(statistics: Statistics, text: string): Compiled {
  const { vendor, subgroup } = statistics;
  const loops = findLoops(vendor === "amd" ? readAmd(text) : readIntel(text, subgroup));
  return { ...statistics, scratchInLoops: scratchInLoops(loops), hotLoop: findHotLoop(loops) };
}

/** Cycles of a 32-bit multiplication on AMD, in those of others. */
const SLOW_MULTIPLY = 4;

/**
 * The share of the hot loop's issue slots that multiply-adds take. AMD's scalars, loads and workgroup memory are issued beside
 * vectors; Intel's threads issue one instruction after the other.
 */
export function multiplyAddShare({ vendor, hotLoop }: Compiled): number | undefined {
  if (!hotLoop) return undefined;
  const { counts } = hotLoop;
  if (vendor === "intel") return counts.multiplyAdds / instructionsOf(counts);
  return counts.multiplyAdd / (counts.multiplyAdd + counts.vector + SLOW_MULTIPLY * counts.slowMultiply);
}

/** Instructions of the hot loop to a multiply-add of a lane: Intel's all, AMD's of vectors. */
export function instructionsPerMultiplyAdd({ vendor, hotLoop }: Compiled): number | undefined {
  if (!hotLoop) return undefined;
  const { counts } = hotLoop;
  const issued = vendor === "intel" ? instructionsOf(counts) : counts.multiplyAdd + counts.vector + counts.slowMultiply;
  return issued / counts.multiplyAdds;
}
