/**
 * Devices as data: a record of numbers for each class of them, which policies and predictions read. A number is that of a typical
 * device. Above each record stands where its numbers come from: a document, or what was measured, and how.
 *
 * The documents, by the names that the records cite:
 * - CUDA: CUDA Programming Guide, "Compute Capabilities",
 *   https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/compute-capabilities.html
 * - Turner: "Metal Benchmarks" by Philip Turner, tables "On-Chip Memory" and "Operations per Second", of Apple's, AMD's, Intel's and
 *   NVIDIA's cores, https://github.com/philipturner/metal-benchmarks
 * - fpsbench: cards' specifications, https://fpsbench.com/compare/gpu/amd-radeon-rx-580-vs-intel-arc-a770m and its neighbours
 * - oneAPI: "Intel GPU Occupancy Calculator", https://oneapi-src.github.io/oneAPI-samples/Tools/GPU-Occupancy-Calculator
 * - Mesa: limits and pipeline statistics of its drivers radv and anv, version 25.0, with these kernels
 * - freedreno: https://gitlab.freedesktop.org/mesa/mesa/-/blob/main/src/freedreno/common/freedreno_devices.py
 * - Maczan: "Characterizing WebGPU Dispatch Overhead for LLM Inference", https://arxiv.org/abs/2604.02344
 * - TDR: "Testing and debugging TDR", https://learn.microsoft.com/windows-hardware/drivers/display/tdr-registry-keys
 */

/**
 * The numbers of a class. A multiprocessor is what NVIDIA calls so: a compute unit of AMD's, an Xe-core or dual subslice of Intel's, a
 * core of Apple's and Arm's, a shader processor of Qualcomm's, a core of the CPU.
 */
export interface DeviceRecord {
  /** Multiprocessors. */
  readonly multiprocessors: number;
  /** Threads that fill all of them. */
  readonly fillThreads: number;
  /** Multiply-adds of float32 that a multiprocessor starts a clock. */
  readonly lanes: number;
  /** Parts of a multiprocessor that have subgroups of their own: NVIDIA's partitions, AMD's SIMDs, Intel's engines. */
  readonly schedulers: number;
  /** 32-bit registers that a thread may hold before the compiler spills them to memory. */
  readonly threadRegisters: number;
  /** 32-bit registers of a multiprocessor. Divided by those that a thread holds: the threads that are there at once. */
  readonly registers: number;
  /** Bytes of workgroup memory of a multiprocessor, which the workgroups on it share. */
  readonly workgroupBytes: number;
  /** Bytes a clock that a multiprocessor loads from workgroup memory. */
  readonly workgroupBandwidth: number;
  /** Lanes of a subgroup, as the compiler chooses it. */
  readonly subgroup: number;
  /** Bytes a clock that a multiprocessor loads from the cache nearest to it; and from those behind, while all of them ask. */
  readonly loadBandwidth: number;
  readonly cacheBandwidth: number;
  /** Lanes that share a register for a value that is the same for all of them: 1 where each has its own. */
  readonly sharedLanes: number;
  /** Instructions of a subgroup that bring 16 floats from one address, the same for all lanes. */
  readonly scalarLoad: number;
  /** Instructions for a vector from workgroup memory or a cache, with its address. */
  readonly accessInstructions: number;
  /** Multiply-adds of all multiprocessors in the time that memory takes for a byte: a kernel with fewer waits for memory. */
  readonly intensity: number;
  /** Bytes of the last cache before memory. */
  readonly cacheBytes: number;
  /** Microseconds that one more dispatch costs, the host's part included. */
  readonly launchMicroseconds: number;
  /** Clocks in a microsecond: the floating-point operations a second that the source gives, over two for each lane. */
  readonly megahertz: number;
  /** Milliseconds after which the system takes a dispatch for hung, and resets the device. */
  readonly watchdogMilliseconds: number;
  /** Whether a multiply-add takes float16 factors and a float32 sum. Elsewhere each factor takes an instruction to convert. */
  readonly mixesHalves: boolean;
  /**
   * Whether the compiler keeps a sum in a register for all of a loop, and what is added to it meanwhile in others. Sums that take
   * several terms a turn should take them at once, one sum after the other, or take one term a turn. [41]
   */
  readonly reservesSums: boolean;
  /** Whether weight gradients that convert float16 hold what they load twice, as it is and converted. [42] */
  readonly holdsConverted: boolean;
}

/** The numbers of a row below, in their order. */
const FIELDS = [
  "multiprocessors",
  "fillThreads",
  "lanes",
  "schedulers",
  "threadRegisters",
  "registers",
  "workgroupBytes",
  "workgroupBandwidth",
  "subgroup",
  "loadBandwidth",
  "cacheBandwidth",
  "sharedLanes",
  "scalarLoad",
  "accessInstructions",
  "intensity",
  "cacheBytes",
  "launchMicroseconds",
  "megahertz",
  "watchdogMilliseconds",
] as const satisfies readonly (keyof Omit<DeviceRecord, "mixesHalves" | "reservesSums" | "holdsConverted">)[];

type Numbers<Names extends readonly unknown[]> = { readonly [I in keyof Names]: number };
type Row = Numbers<typeof FIELDS>;

const MIB = 2 ** 20;
/** Maczan: 24 to 36 microseconds a dispatch on Vulkan, 32 to 71 on Metal. */
const [VULKAN, METAL] = [30, 50];
/** TDR: 2 seconds, the least of all that is documented of any system. */
const TDR = 2000;

// The nearest cache of NVIDIA's multiprocessors is the memory that workgroups share; others' load a line a clock (Turner; Arm, below).
// Bandwidth of caches behind it: estimates but for Intel's, 64 bytes a clock for each subslice ("The Compute Architecture of Intel
// Processor Graphics Gen9"). Lanes that share registers: AMD's scalar registers, and Intel's registers, of which an instruction may read
// one element for all lanes; Mesa uses both. Loads of scalars and of vectors: instructions of these compilers for scalar_tile.wgsl and
// tap_gemm.wgsl; AMD's have offsets. Others: estimates, 16 scalars by four vectors.
// prettier-ignore
const ROWS = {
  // GeForce RTX 4070: 46 multiprocessors, 5,888 lanes at 2.475 GHz, 504 GB/s (29 multiply-adds a byte),
  // https://www.thefpsreview.com/gpu-family/nvidia-geforce-rtx-4070-gpu-family-specifications; 36 MB of L2,
  // https://news-usa.today/nvidia-rtx-4070-super-revealed-correction-confirms-increased-l2-cache.
  // CUDA, 8.6 and 8.9: 1,536 threads (70,656 in all), 64K registers, 255 a thread, 100 KB shared, subgroups of 32. Turner: 128 bytes.
  nvidia: [46, 65_536, 128, 4, 255, 65_536, 102_400, 128, 32, 128, 32, 1, 6, 1, 29, 36 * MIB, VULKAN, 2475, TDR],
  // AMD. Turner, Vega to RDNA 2: 64 multiply-adds a clock, 256 KB of registers, 64 KB shared, 128 bytes of it a clock.
  // Mesa: at most 256 registers a thread.
  // fpsbench, Radeon RX 6800M: 40 units, 12.24 TFLOPS, 384 GB/s (16), 96 MB of L3. Turner: 1,024 threads a unit at subgroups of 32;
  // 65,536 fill cards of 64 units. Mesa: these kernels get subgroups of 32.
  "amd-rdna": [40, 65_536, 64, 2, 256, 65_536, 65_536, 128, 32, 64, 32, 64, 1, 1, 16, 96 * MIB, VULKAN, 2390, TDR],
  // fpsbench, Radeon Vega 8 Mobile: 8 units, 1,127 GFLOPS; two channels of DDR4-3200 have 51.2 GB/s (11). Turner: 8 x 2,560 threads
  // (Vega) or 8 x 1,024 (RDNA). 2 MiB of L2 in Rembrandt and Phoenix,
  // https://www.hardwaretimes.com/rdna-2-igpu-on-amd-ryzen-7000-apus-to-lack-infinity-cache-l3-l1-and-l0-cache-doubled/.
  // Subgroups of 64 (Mesa, renoir), the larger of both kinds.
  "amd-apu": [8, 16_384, 64, 4, 256, 65_536, 65_536, 128, 64, 64, 32, 64, 1, 1, 11, 2 * MIB, VULKAN, 1100, TDR],
  // fpsbench, Radeon RX 580: 36 units, 6.175 TFLOPS, 256 GB/s (12), 2 MB of L2. Turner, Vega: up to 2,560 threads a unit; 65,536 in
  // all are there with 36 registers each. Mesa: subgroups of 64.
  "amd-gcn": [36, 65_536, 64, 4, 256, 65_536, 65_536, 128, 64, 64, 32, 64, 1, 1, 12, 2 * MIB, VULKAN, 1340, TDR],
  // Intel. Turner, Gen9: 64 lanes, 448 threads at 8 lanes (7 for each of the 8 EUs), 64 bytes a clock. All later ones have twice that
  // in a multiprocessor: 16 EUs, or 8 of twice the width. Mesa: 128 registers of 32 bytes for 16 lanes, on Xe2 256 for 32: 64 floats a
  // lane.
  // Iris Xe of 96 EUs: 6 dual subslices, 1.69 TFLOPS, 3.75 MB of L3,
  // https://sysrqmts.com/gpus/compare/intel-iris-xe-graphics-g7-96eu-vs-nvidia-geforce-mx450-25w; at 51.2 GB/s 16.5 multiply-adds a
  // byte. 16 lanes: 6 x 16 x 7 x 16 = 10,752 threads; Xe-LPG, with 8 x 16 x 8 (oneAPI, Xe-HPG), 16,384. Mesa: 64 KiB shared.
  "intel-xe-lp": [6, 16_384, 128, 16, 64, 114_688, 65_536, 128, 16, 64, 64, 16, 9, 3, 16, 3.75 * MIB, VULKAN, 1100, TDR],
  // fpsbench, Arc A770M: 32 cores, 16.79 TFLOPS, 512 GB/s (16), 16 MB of L2. oneAPI: 16 EUs a core, 8 threads an EU, at 16 lanes 65,536
  // in all; 128 KB shared.
  "intel-xe-hpg": [32, 65_536, 128, 16, 64, 131_072, 131_072, 128, 16, 128, 64, 16, 9, 3, 16, 16 * MIB, VULKAN, 2050, TDR],
  // Lunar Lake has 8 cores of 8 engines of 16 lanes,
  // https://www.tomshardware.com/pc-components/cpus/intel-unwraps-lunar-lake-architecture-up-to-68-ipc-gain-for-e-cores-16-ipc-gain-for-p-cores/4.
  // 8 threads an engine ("Small Register Mode vs. Large Register Mode", oneAPI GPU Optimization Guide), at 32 lanes 16,384 in all.
  // fpsbench, Arc B580: 20 cores, 13.67 TFLOPS (2.67 GHz), 456 GB/s (15), 18 MB of L2: 7 for 8 cores. Mesa: 128 KiB shared, subgroups of 32.
  "intel-xe2": [8, 16_384, 128, 8, 64, 131_072, 131_072, 128, 32, 128, 64, 32, 9, 3, 15, 7 * MIB, VULKAN, 2670, TDR],
  // Turner, M2: 10 cores, 3,579 GFLOPS, 8 MB; per core 128 multiply-adds a clock, 208 KB of registers, 60 KB shared, 384 to 3,072
  // threads: 384 have 138 registers each, and 15,360 in all 34. 100 GB/s (18),
  // https://www.macrumors.com/2022/06/06/apple-announces-m2-chip-with-support-for-up-to-24gb-memory/. Bandwidth of shared memory: an
  // estimate, that of Turner's on-core data.
  apple: [10, 16_384, 128, 4, 128, 53_248, 61_440, 64, 32, 64, 32, 1, 6, 1, 18, 8 * MIB, METAL, 1400, TDR],
  // freedreno, Adreno 730: 4 processors, 2 x 64 x 64 vectors of 4 registers each, up to 16 x 2 x 128 threads, 32 KiB shared. With 64
  // registers a thread there are 8 subgroups of 64. Fill: half of what fits. Estimates, for want of documents: lanes, bandwidth of
  // shared memory; cache, clock and intensity are Mali's (both have 51.2 GB/s).
  adreno: [4, 8192, 128, 2, 64, 32_768, 32_768, 64, 64, 64, 32, 1, 6, 1, 11, 4 * MIB, VULKAN, 848, TDR],
  // Mali-G78 MP20 in Google's Tensor: 20 cores, 32 multiply-adds a clock, 32 subgroups of 16 lanes (10,240 threads in all),
  // https://github.com/azhirnov/cpu-gpu-arch/blob/main/gpu/ARM-Mali-Valhall.md; 848 MHz, 51.2 GB/s (11), 4 MB of L3,
  // https://nanoreview.net/en/soc-compare/google-tensor-vs-apple-a12-bionic. 64 registers a thread: "Mali Bifrost and Valhall GPU
  // specific optimizations", http://infocenter.arm.com/help/topic/com.arm.doc.101574_0302_00_en/nic1465568963198.html. Shared memory is
  // the core's cache, a line of 64 bytes a clock ("The Valhall Shader Core", developer.arm.com); its size: an estimate, as Adreno's.
  mali: [20, 8192, 32, 1, 64, 32_768, 32_768, 64, 16, 64, 32, 1, 6, 1, 11, 4 * MIB, VULKAN, 848, TDR],
  // SwiftShader and lavapipe. Fill, and what a load costs: docs/performance-log.md, entries 2 and 24 (a lane's load of 4 bytes takes
  // as long as 3 multiply-adds). Lanes: SwiftShader's subgroup. Registers: tiles of 8 x 8 beat 4 x 4 there, so that spilling costs
  // less than loading. Measured on two cores of an EPYC with 32 MiB of L3: intensity by examples/benchmark/ceilings.ts (3.5 on
  // SwiftShader, 29 on lavapipe), launches by engine.time of 1,000 tiny convolutions more (13 and 28).
  // Clock: what an EPYC 7763 is sold for. Chromium waits 15 seconds, and twice that for software: gpu/ipc/common/gpu_watchdog_timeout.h.
  software: [2, 64, 4, 1, 256, 2048, 32_768, 5, 8, 5, 32, 1, 6, 1, 10, 32 * MIB, 20, 2450, 30_000],
  // Of what may be any of the above: the registers of the smallest, the specification's least workgroup memory, the fill of
  // integrated GPUs; else an estimate near the least.
  unknown: [8, 16_384, 64, 4, 64, 32_768, 16_384, 64, 32, 64, 16, 1, 6, 1, 11, 2 * MIB, METAL, 1000, TDR],
} as const satisfies Readonly<Record<string, Row>>;

/** A class of devices. */
export type DeviceClass = keyof typeof ROWS;

export const DEVICE_CLASSES = Object.keys(ROWS) as readonly DeviceClass[];

/**
 * RDNA: v_fma_mix_f32 (Mesa compiles these kernels to it on navi21 and navi31; on renoir, GCN5, it converts, as it does on Intel's).
 * Apple: operands of fadd32, fmadd32 and the like may be 16-bit registers, https://dougallj.github.io/applegpu/docs.html.
 */
const MIXING: readonly DeviceClass[] = ["amd-rdna", "apple"];
/** Mesa, with implicit_gemm_weight_gradient.wgsl: on skl, tgl, dg2 and bmg; not on navi21 and renoir. Of others nothing is known. */
const RESERVING: readonly DeviceClass[] = ["intel-xe-lp", "intel-xe-hpg", "intel-xe2"];
/** Mesa, renoir: implicit_gemm_weight_gradient.wgsl takes 72 to 84 registers by tiles of 64x64x32, and 48 by 64x64x16. */
const HOLDING: readonly DeviceClass[] = ["amd-apu", "amd-gcn"];

const recordOf = (deviceClass: DeviceClass): DeviceRecord => ({
  ...(Object.fromEntries(FIELDS.map((field, i) => [field, ROWS[deviceClass][i]])) as Record<
    (typeof FIELDS)[number],
    number
  >),
  mixesHalves: MIXING.includes(deviceClass),
  reservesSums: RESERVING.includes(deviceClass),
  holdsConverted: HOLDING.includes(deviceClass),
});

/** The record of each class. */
export const DEVICES = Object.fromEntries(
  DEVICE_CLASSES.map((deviceClass) => [deviceClass, recordOf(deviceClass)]),
) as Readonly<Record<DeviceClass, DeviceRecord>>;

/** The part of a thread's registers that compilers fill before they spill. */
const FILLED_SHARE = 0.95;
/** Subgroups of a scheduler that hide each other's latencies. */
const SUBGROUPS = 4;

/** 32-bit registers that a thread may hold without spilling, and with four subgroups on each scheduler. */
export const usableRegisters = ({ threadRegisters, registers, schedulers, subgroup }: DeviceRecord): number =>
  Math.min(FILLED_SHARE * threadRegisters, registers / (SUBGROUPS * schedulers * subgroup));
