/**
 * What a class of devices wants, as numbers: how much work keeps it busy, and from where on a solver pays. Solvers read
 * these and never ask what the device is. What the device itself is, in numbers, stands in devices.ts.
 *
 * What limits a kernel on every device (registers, unrolled steps, chains of additions) stays with its solver.
 * Numbers in brackets are entries of docs/performance-log.md. Those of GPUs are estimates: no GPU has been measured.
 */
import type { Capabilities } from "./capabilities.js";
import { DEVICE_CLASSES, type DeviceClass, type DeviceRecord, DEVICES, usableRegisters } from "./devices.js";

export interface DevicePolicy {
  /** The class, as a reason names it: "the device is ...". */
  readonly name: string;
  /** The device in numbers, by which tiles are compared. */
  readonly device: DeviceRecord;

  // How much work keeps a device busy.

  /** Threads that keep the device busy. Below them smaller tiles, with more threads, do better. [2, 24] */
  readonly busyThreads: number;
  /** Workgroups that are enough in a gradient of weights, a bias or slopes: sums are split to make so many. [14] */
  readonly busyGradientWorkgroups: number;
  /** Likewise in a forward pass or an input gradient. Half as many are enough, too: a split costs a second dispatch. [14] */
  readonly busyResultWorkgroups: number;
  /** Workgroups below which implicit GEMM takes a smaller tile. [14] */
  readonly busyTileWorkgroups: number;

  // The least K (terms of a sum) for each part of a split: a part with fewer is not worth the partial result that it writes. [14]

  /** Of a forward pass, an input gradient, or a weight gradient by implicit GEMM. */
  readonly splitLeastK: number;
  /** Of other weight gradients. */
  readonly splitLeastKGradient: number;
  /** Of a channel's sum: a bias gradient, or that of a prelu's slope. */
  readonly splitLeastKChannelSum: number;

  // What loads, registers and workgroup memory cost.

  /** Whether workgroup memory and barriers save more than they cost: implicit GEMM against register tiles. [2] */
  readonly workgroupMemoryPays: boolean;
  /** Whether vector tiles, their sources laid out first (im2col), beat tiles in workgroup memory. [5, 22] */
  readonly vectorTilesPay: boolean;
  /**
   * What a load costs, in multiply-adds, where lanes load one after the other: the shape that loads least comes first then.
   * Undefined where neighbouring lanes load together: the largest shape that keeps the device busy comes first. [24]
   */
  readonly loadCost: number | undefined;
  /** 32-bit registers that a thread should hold at most: without spilling, and with enough subgroups to hide latencies. [31] */
  readonly threadRegisters: number;
  /** Sums that a thread can hold a second time in registers, those of a block and those of all blocks. [27] */
  readonly mostDoubledSums: number;

  // Sizes from which on a solver pays.

  /** Output channels (M) of a group below which most of an implicit GEMM's tile is idle. */
  readonly gemmFewestChannels: number;
  /**
   * Bytes of Winograd's scratch memory that hold some tiles at a time, with their filters: what stays in the last cache, where that
   * holds 32 MiB; elsewhere twice that, since kernels then start half as often. Software devices gain nothing from a cache. [33]
   */
  readonly winogradScratchBytes: number;
  /** Of these, what tiles of a forward pass or an input gradient hold: software devices start kernels at little cost, and save memory. [50] */
  readonly winogradTileBytes: number;
  /** Input and output channels of a group below which Winograd's transforms cost more than its products save. [3] */
  readonly winogradFewestChannels: number;
  /** Tiles of the batch below which transforming filters costs more than Winograd's products save. [3] */
  readonly winogradFewestTiles: number;
  /** Winograd's multiply-adds, as a part of a direct sum's, that leave enough to pay for the transforms. [11, 15] */
  readonly winogradMostProducts: number;
  /** Result channels of a group up to which rolling windows beat tiles. [12, 15] */
  readonly rollingMostChannels: number;
  /** Input channels of a group up to which a weight gradient by rolling windows beats tiles, if output channels are few. [12] */
  readonly rollingGradientMostIn: number;
  /** Output channels of a group that are few there. [12] */
  readonly rollingGradientMostOut: number;
  /** Input channels of a group from which it beats tiles again, whatever the output channels. [15] */
  readonly rollingGradientManyIn: number;
  /** Result channels of a group up to which strips beat tiles. [4, 7] */
  readonly stripMostChannels: number;
  /** Positions of the batch up to which strips beat tiles whatever the channels. [24] */
  readonly stripFewPositions: number;
  /** Likewise in pointwise layers. [24] */
  readonly stripFewPointwise: number;
  /** Threads below which strips leave the device idle, where each has a long sum. [14] */
  readonly stripFewestThreads: number;
  /** The K from which a sum is long there. [14] */
  readonly stripLongK: number;
  /** Input channels of a group up to which a weight gradient by strips beats tiles. [7] */
  readonly stripGradientMostIn: number;
  /** Likewise output channels. [7] */
  readonly stripGradientMostOut: number;
  /** Result channels of a group from which vector tiles of one tap pay for laying sources out. [5, 22] */
  readonly unfoldFewestPointwise: number;
  /** Likewise of several taps that are walked over like channels. [22] */
  readonly unfoldFewestFlat: number;
  /** Likewise of several taps. [5] */
  readonly unfoldFewestChannels: number;
}

/** Every GPU. */
const GPU: Omit<DevicePolicy, "busyThreads" | "device" | "threadRegisters" | "winogradScratchBytes"> = {
  name: "a GPU",
  winogradTileBytes: Infinity,
  busyGradientWorkgroups: 512,
  busyResultWorkgroups: 256,
  busyTileWorkgroups: 256,
  splitLeastK: 256,
  splitLeastKGradient: 64,
  splitLeastKChannelSum: 4096,
  workgroupMemoryPays: true,
  vectorTilesPay: false,
  loadCost: undefined,
  mostDoubledSums: 8,
  gemmFewestChannels: 8,
  winogradFewestChannels: 16,
  winogradFewestTiles: 24,
  winogradMostProducts: 0.85,
  rollingMostChannels: 8,
  rollingGradientMostIn: 4,
  rollingGradientMostOut: 8,
  rollingGradientManyIn: Infinity,
  stripMostChannels: 8,
  stripFewPositions: 0,
  stripFewPointwise: 0,
  stripFewestThreads: 4096,
  stripLongK: 512,
  stripGradientMostIn: 4,
  stripGradientMostOut: 4,
  unfoldFewestPointwise: 16,
  unfoldFewestFlat: 48,
  unfoldFewestChannels: 128,
};

/** Threads that keep any GPU busy. Phones want fewer; but that would mean larger tiles, which spill there. */
const LEAST_BUSY_THREADS = 16_384;

/** Between 32 and 64 MiB, a power of two. [33] */
const winogradScratchBytes = ({ cacheBytes }: DeviceRecord): number =>
  cacheBytes >= 2 ** 25 && cacheBytes < 2 ** 26 ? 2 ** 25 : 2 ** 26;

/** Half of the threads that fill a GPU keep it busy: they may hold twice the registers, and load less for each multiply-add. [29] */
function policyOfGpu(device: DeviceRecord): DevicePolicy {
  const busyThreads = Math.max(device.fillThreads / 2, LEAST_BUSY_THREADS);
  return {
    ...GPU,
    device,
    busyThreads,
    threadRegisters: usableRegisters(device),
    winogradScratchBytes: winogradScratchBytes(device),
  };
}

/**
 * Devices that run on the CPU, measured on SwiftShader and lavapipe: few threads, and lanes that load one by one. Other
 * numbers are a GPU's.
 */
const SOFTWARE: DevicePolicy = {
  ...GPU,
  name: "software",
  device: DEVICES.software,
  threadRegisters: Infinity,
  winogradScratchBytes: 2 ** 26,
  winogradTileBytes: 2 ** 24,
  busyThreads: DEVICES.software.fillThreads,
  busyGradientWorkgroups: 16,
  busyResultWorkgroups: 4,
  workgroupMemoryPays: false,
  vectorTilesPay: true,
  loadCost: 3,
  winogradFewestChannels: 32,
  mostDoubledSums: Infinity,
  rollingMostChannels: Infinity,
  rollingGradientManyIn: 4,
  stripFewPositions: 9,
  stripFewPointwise: 4,
  stripFewestThreads: 0,
  stripGradientMostIn: Infinity,
};

const POLICIES = Object.fromEntries(
  DEVICE_CLASSES.map((deviceClass) => [
    deviceClass,
    deviceClass === "software" ? SOFTWARE : policyOfGpu(DEVICES[deviceClass]),
  ]),
) as Readonly<Record<DeviceClass, DevicePolicy>>;

/** The policy of a device. Nothing else asks for its class. */
export const policyOf = ({ deviceClass }: Capabilities): DevicePolicy => POLICIES[deviceClass];
