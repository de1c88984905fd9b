/**
 * Predicts how long a device takes for a product whose threads read one factor as scalars, the same for a workgroup, and the other
 * from caches: no workgroup memory. In the clocks of tileModel.ts, so that both kinds of tiles can be compared.
 */
import { type DeviceRecord, usableRegisters } from "./devices.js";
import { deviceClocks, fittingWorkgroups, FLOAT_BYTES, overlapped, type Product } from "./tileModel.js";

/** A tile of a thread, and what its loads are like. */
export interface ScalarWork {
  /** Threads of a workgroup, all of them along N. */
  readonly threads: number;
  readonly mPerThread: number;
  readonly placesPerThread: number;
  /** Positions of a place: 4 where they lie in vectors, else 1. */
  readonly width: number;
  /** Channels of a row. */
  readonly unroll: number;
  /** Positions between those that neighbouring threads load. */
  readonly spread: number;
  /** Whether places are computed for each tap, and whether those of a phase have taps of their own. */
  readonly taps: boolean;
  readonly phases: boolean;
  /** Whether what they load must be set to 0 beyond an edge. */
  readonly edges: boolean;
  /** Whether a second tensor is read with each source. */
  readonly masked: boolean;
  /** Instructions of a row besides; none when absent. */
  readonly besides?: number;
}

/** How K is cut: parts with a partial result each, rows of one part, and whether these are more than a block. */
export interface ScalarSplit {
  readonly splitK: number;
  readonly rows: number;
  readonly isBlocked: boolean;
}

// Instructions, as the compilers of Intel's GPUs make them of scalar_tile.wgsl (docs/performance-log.md, entry 32): of a load, its
// address and itself; of a row, its counters and its loop; of what a mask takes for a value.
const ROW_INSTRUCTIONS = 6;
const MASK_INSTRUCTIONS = 3;
/** Weights of one load. */
export const SCALARS = 16;
/** Registers, likewise: of counters and addresses; of a block's end; of a place, and where its taps lie; of phases. */
const OTHER_REGISTERS = 4;
const BLOCK_REGISTERS = 6;
const PLACE_REGISTERS = 2;
const TAP_REGISTERS = 7;
const PHASE_REGISTERS = 4;
/** What a register too many costs for each channel, as instructions. */
const SPILL_INSTRUCTIONS = 3;

/** Lanes of a subgroup. Where as many as 64 share scalars it may have these: Dawn asks RDNA's compiler for 64. */
export const scalarLanes = ({ subgroup, sharedLanes }: DeviceRecord): number => Math.max(subgroup, sharedLanes);

/** 32-bit registers that a thread holds: sums, a row of sources and of weights, a vector in the making, and others. */
export function scalarRegisters(
  { mPerThread, placesPerThread, width, unroll, taps, phases }: ScalarWork,
  isBlocked: boolean,
  { sharedLanes, accessInstructions }: DeviceRecord,
): number {
  const values = width * placesPerThread * (mPerThread + unroll);
  // Lanes that hold weights each for themselves load those of four m at a time.
  const weights = sharedLanes > 1 ? (unroll * mPerThread) / sharedLanes : 4 * unroll;
  const places = placesPerThread * (PLACE_REGISTERS + (taps ? TAP_REGISTERS : 0));
  // Where addresses take no instructions each time, the compiler keeps one for each result that a block's end adds to.
  const blockEnd = accessInstructions > 1 ? BLOCK_REGISTERS : mPerThread * placesPerThread;
  const others = OTHER_REGISTERS + (phases ? PHASE_REGISTERS : 0) + (isBlocked ? blockEnd : 0);
  return values + weights + width + places + others;
}

/** Clocks that the device takes for the product with K split so many ways, the second dispatch of a split included. */
export function predictScalarClocks(
  product: Omit<Product, "kTiles" | "kVectors">,
  work: ScalarWork,
  { splitK, rows, isBlocked }: ScalarSplit,
  device: DeviceRecord,
): number {
  const { m, n, copies } = product;
  const { threads, mPerThread, placesPerThread, width, unroll, spread, edges, masked, besides = 0 } = work;
  const tileN = threads * placesPerThread * width;
  const tilesM = Math.ceil(m / mPerThread);
  const tiles = tilesM * Math.ceil(n / tileN);
  const workgroups = tiles * copies * splitK;
  const usefulThreads = (threads * m * n) / (tiles * mPerThread * tileN);
  const registers = scalarRegisters(work, isBlocked, device);

  const loads = unroll * placesPerThread;
  const each =
    loads *
    (device.accessInstructions * (masked ? 2 : 1) + width * ((edges ? 1 : 0) + (masked ? MASK_INSTRUCTIONS : 0)));
  const weights = Math.ceil((unroll * mPerThread) / SCALARS) * device.scalarLoad;
  const spilling = Math.max(0, registers - usableRegisters(device)) * unroll * SPILL_INSTRUCTIONS;
  const instructions = loads * width * mPerThread + each + weights + ROW_INSTRUCTIONS + besides + spilling;

  const lanes = scalarLanes(device);
  const subgroups = Math.ceil(threads / lanes);
  const issue = (subgroups * lanes * instructions) / device.lanes;
  const sources = product.operandBytes * unroll * tileN * spread * (masked ? 2 : 1);
  const scalars = FLOAT_BYTES * unroll * mPerThread;
  const near = (sources + subgroups * scalars) / device.loadBandwidth;
  // Workgroups of other m on the same multiprocessor read the same sources at about the same time.
  const load = { workgroups, threads, usefulThreads, registers, workgroupBytes: 0, ahead: false };
  const sharing = Math.min(Math.max(1, tilesM / device.multiprocessors), fittingWorkgroups(load, device));
  const far = (sources / sharing + scalars) / device.cacheBandwidth;
  return deviceClocks(product, { ...load, each: rows * overlapped(issue, Math.max(near, far)) }, splitK, device);
}
