/**
 * Predicts how long a device takes for a matrix product that is computed tile by tile in workgroup memory. Predictions are for
 * comparing tiles with each other: they count what a tile executes, loads and leaves idle, and know nothing of waits in detail.
 */
import { type DeviceRecord, usableRegisters } from "./devices.js";

/** C = A B of `m` by `n`, computed `copies` times: for each group and phase. */
export interface Product {
  readonly m: number;
  readonly n: number;
  /** K, as tiles that are loaded, and as vectors of 4 that are multiplied: a last tile may have fewer than others. */
  readonly kTiles: number;
  readonly kVectors: number;
  readonly copies: number;
  /** Elements of the tensors that it reads, each counted once: those of patches overlap. */
  readonly operands: number;
  /** Bytes of each, where it is stored. */
  readonly operandBytes: number;
  /** Elements of all results together, and bytes of each. Each part of a split sum writes as many elements, in float32. */
  readonly elements: number;
  readonly elementBytes: number;
  /** Whether it finds its operands in the last cache, and leaves its results there. */
  readonly cached?: boolean;
}

/** A dispatch whose threads do the same work each, with some bytes in memory and some in the last cache. */
export interface StreamWork {
  readonly threads: number;
  /** Of a thread. */
  readonly instructions: number;
  readonly memoryBytes: number;
  readonly cachedBytes: number;
}

/** A tile, and how its workgroups come by it. */
export interface TileWork {
  readonly tileM: number;
  readonly tileN: number;
  readonly tileK: number;
  /** Threads of a workgroup. */
  readonly threads: number;
  /** Of a thread: M and vectors of 4 N that it computes, and vectors that it loads for each tile of K. */
  readonly mPerThread: number;
  readonly vectorsPerThread: number;
  readonly vectorsLoaded: number;
  /** Instructions for a vector that goes from global to workgroup memory. */
  readonly loadInstructions: number;
  /** Whether these are kept in registers while a tile is multiplied. */
  readonly ahead: boolean;
  /** Whether the compiler holds all that a thread loads in registers besides, while it converts it, and reads nothing ahead. [42] */
  readonly holdsLoads: boolean;
  /** Bytes of an element in workgroup memory, and in registers until it is multiplied: 2 where tiles hold float16. */
  readonly heldBytes: number;
  /** Workgroup memory in all. */
  readonly workgroupBytes: number;
}

export const FLOAT_BYTES = 4;
/** A thread's registers for addresses and counters, as the compilers of AMD's GPUs take them for these kernels. */
const OTHER_REGISTERS = 20;
/** Instructions for an iteration of the loop over K, likewise. */
const LOOP_INSTRUCTIONS = 8;
/** Of the reads of workgroup memory, those that are left where two vectors of float16 come by one. */
const JOINED_READS = 0.75;
/**
 * What a register beyond those that a device wants a thread to hold costs, as instructions for each vector of K: a store and a load of
 * what is spilled, or waits that no other subgroup hides. Of 4, 8, 11 and 16 this leaves the fewest spills in loops without tiles of K
 * that layers of few channels half fill (`npm run kernels -- --model tgl`).
 */
const SPILL_INSTRUCTIONS = 11;
/** Of registers beyond those, how many others may give way; and what each of the rest costs more, where sums are reserved. [42] */
const YIELDING_REGISTERS = 8;
const RESERVED_INSTRUCTIONS = 22;
/** Multiply-adds of a loop over a tile of K that compilers unroll, and registers that its reads, moved ahead, then take. */
const UNROLLED_MULTIPLY_ADDS = 384;
const RESERVED_MULTIPLY_ADDS = 448;
const UNROLLED_REGISTERS = 16;
/** Clocks between the end of a dispatch and the start of the next one, which reads what it wrote. */
export const DISPATCH_CLOCKS = 4000;
/**
 * The part of the threads that fill a device which should be there; and which should fit, where registers or workgroup memory
 * leave no room for more: threads with many independent sums hide latencies by themselves, when they load ahead.
 */
const BUSY_SHARE = 0.6;
const FITTING_SHARE = { ahead: 0.25, otherwise: 0.4 };
/** How much of the shorter of two times that overlap adds to the longer one. */
const OVERLAP = 0.25;

/** Bytes a clock from memory, and from the last cache. */
const memoryBandwidth = ({ multiprocessors, lanes, intensity }: DeviceRecord): number =>
  (multiprocessors * lanes) / intensity;
const lastBandwidth = ({ multiprocessors, cacheBandwidth }: DeviceRecord): number => cacheBandwidth * multiprocessors;

/** Times that overlap, but for a part of those that are shorter than the longest. */
export function overlapped(...clocks: readonly number[]): number {
  const longest = Math.max(...clocks);
  return longest + OVERLAP * (clocks.reduce((sum, one) => sum + one, 0) - longest);
}

/** 32-bit registers that a thread of a tile holds. */
export function threadRegisters(work: TileWork, { reservesSums }: DeviceRecord): number {
  const { mPerThread, vectorsPerThread, vectorsLoaded, ahead, tileK, heldBytes, holdsLoads } = work;
  const sums = 4 * mPerThread * vectorsPerThread;
  const loads = 4 * vectorsLoaded;
  const mostUnrolled = reservesSums ? RESERVED_MULTIPLY_ADDS : UNROLLED_MULTIPLY_ADDS;
  const isUnrolled = !holdsLoads && sums * tileK <= mostUnrolled;
  const reads = 16 * vectorsPerThread + 4 + (isUnrolled ? UNROLLED_REGISTERS : 0) + (ahead ? loads : 0);
  return sums + (reads * heldBytes) / FLOAT_BYTES + OTHER_REGISTERS + (holdsLoads ? loads : 0);
}

/** Instructions for each vector of K that registers beyond those of a device cost. */
function spillInstructions(work: TileWork, device: DeviceRecord): number {
  const spilled = Math.max(0, threadRegisters(work, device) - usableRegisters(device));
  const certain = device.reservesSums ? Math.max(0, spilled - YIELDING_REGISTERS) : 0;
  return SPILL_INSTRUCTIONS * spilled + RESERVED_INSTRUCTIONS * certain;
}

/** Instructions of a thread for a tile of K with so many vectors. */
function instructionsOf(work: TileWork, vectorsOfK: number, device: DeviceRecord): number {
  const { mPerThread, vectorsPerThread, vectorsLoaded, loadInstructions, heldBytes } = work;
  const multiplyAdds = 16 * mPerThread * vectorsPerThread * vectorsOfK;
  const joined = heldBytes < FLOAT_BYTES ? JOINED_READS : 1;
  const reads = vectorsOfK * (mPerThread + 4 * vectorsPerThread) * joined * device.accessInstructions;
  const spilling = vectorsOfK * spillInstructions(work, device);
  return multiplyAdds + reads + vectorsLoaded * loadInstructions + LOOP_INSTRUCTIONS + spilling;
}

/** Bytes that a subgroup reads from workgroup memory for a vector of K: lanes that read the same value share it. */
function workgroupReads(work: TileWork, { subgroup }: DeviceRecord): number {
  const { mPerThread, vectorsPerThread, tileN, heldBytes } = work;
  const lanesN = Math.min(subgroup, tileN / (4 * vectorsPerThread));
  const lanesM = subgroup / lanesN;
  return 4 * heldBytes * (mPerThread * lanesM + 4 * vectorsPerThread * lanesN);
}

/** Clocks that the device takes for the product with K split so many ways, the second dispatch of a split included. */
export function predictClocks(product: Product, work: TileWork, splitK: number, device: DeviceRecord): number {
  const { m, n, kTiles, kVectors, copies, operandBytes } = product;
  const { tileM, tileN, tileK, threads, workgroupBytes, ahead } = work;
  const tiles = Math.ceil(m / tileM) * Math.ceil(n / tileN);
  const workgroups = tiles * copies * splitK;
  const usefulThreads = (threads * m * n) / (tiles * tileM * tileN);
  const tilesK = Math.ceil(kTiles / splitK);
  const vectorsOfK = kVectors / kTiles;
  const subgroups = Math.ceil(threads / device.subgroup);
  const issue = (subgroups * device.subgroup * instructionsOf(work, vectorsOfK, device)) / device.lanes;
  const reads = (subgroups * vectorsOfK * workgroupReads(work, device)) / device.workgroupBandwidth;
  const loads = (tileK * (tileM + tileN) * operandBytes) / device.cacheBandwidth;
  const each = tilesK * overlapped(issue, reads, loads);
  const registers = threadRegisters(work, device);
  const load = { workgroups, threads, usefulThreads, each, registers, workgroupBytes, ahead };
  return deviceClocks(product, load, splitK, device);
}

/** Workgroups of one kind. */
export interface Load {
  readonly workgroups: number;
  readonly threads: number;
  /** Of these, those with results: what lies beyond the edges keeps nobody busy. */
  readonly usefulThreads: number;
  /** Clocks that one of them takes where a multiprocessor is full of them. */
  readonly each: number;
  /** Registers of a thread. */
  readonly registers: number;
  readonly workgroupBytes: number;
  /** Whether a thread loads ahead of its sums. */
  readonly ahead: boolean;
}

/** Workgroups that fit a multiprocessor at once. */
export function fittingWorkgroups(
  { threads, registers, workgroupBytes }: Pick<Load, "threads" | "registers" | "workgroupBytes">,
  device: DeviceRecord,
): number {
  const held = Math.min(registers, device.threadRegisters);
  const byRegisters = Math.floor(device.registers / (threads * held));
  return Math.max(1, Math.min(byRegisters, Math.floor(device.workgroupBytes / workgroupBytes)));
}

/** Clocks that the device takes for these workgroups, with its memory's share and the second dispatch of a split. */
export function deviceClocks(
  { operands, operandBytes, elements, elementBytes, cached = false }: Omit<Product, "kTiles" | "kVectors">,
  load: Load,
  splitK: number,
  device: DeviceRecord,
): number {
  const { workgroups, threads, usefulThreads, each, ahead } = load;
  const fitting = fittingWorkgroups(load, device);
  const fill = device.fillThreads / device.multiprocessors;
  const wanted = FITTING_SHARE[ahead ? "ahead" : "otherwise"] * fill;
  const perMultiprocessor = workgroups / device.multiprocessors;
  const idle = Math.max(1, (BUSY_SHARE * fill) / (perMultiprocessor * usefulThreads), wanted / (fitting * threads));
  // The last workgroups keep only some multiprocessors busy; the fewer there are for each, the more that costs.
  const rounds = perMultiprocessor > fitting ? Math.ceil(perMultiprocessor) : perMultiprocessor;
  const compute = rounds * each * idle;

  // Written, and read soon after: from the last cache, where they fit.
  const bandwidthOf = (inCache: boolean): number => (inCache ? lastBandwidth(device) : memoryBandwidth(device));
  const partials = FLOAT_BYTES * splitK * elements;
  const memory = (operandBytes * operands + elementBytes * elements) / bandwidthOf(cached);
  const reduction = (2 * partials) / bandwidthOf(partials <= device.cacheBytes) + DISPATCH_CLOCKS;
  return overlapped(memory, compute) + (splitK > 1 ? reduction : 0);
}

/** Clocks that the device takes for a dispatch that multiplies little. */
export function predictStream(work: StreamWork, device: DeviceRecord): number {
  const { threads, instructions, memoryBytes, cachedBytes } = work;
  const bytes = memoryBytes / memoryBandwidth(device) + cachedBytes / lastBandwidth(device);
  const idle = Math.max(1, (BUSY_SHARE * device.fillThreads) / threads);
  return overlapped(bytes, (idle * threads * instructions) / (device.multiprocessors * device.lanes));
}
