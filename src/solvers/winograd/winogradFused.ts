/**
 * Winograd's F(2x2, 3x3) in one kernel behind the filters' transform: transformed patches and their products stay in workgroup
 * memory and registers, so that nothing but tensors and filters goes through memory.
 *
 *              32 tiles (n)
 *            +---------------+    16 products of a patch, 16 threads for each: a thread sums 8 x 8 of its product.
 *   32 result| 16 products   |    For a few channels at a time: patches are loaded and transformed, filters loaded,
 *   channels |  of 32 x 32   |    both multiplied. At the end sums change hands, so that a thread has all 16 products
 *     (m)    +---------------+    of a tile, and transforms them back.
 */
import kernel from "../../../shaders/winograd/winograd_fused.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { usableRegisters } from "../../planning/devices.js";
import { policyOf } from "../../planning/policy.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import { deviceClocks, overlapped } from "../../planning/tileModel.js";
import type { ConvOperation } from "../../problem/operation.js";
import { tensorsOf } from "../implicitGemm/tileChoice.js";
import { columnsOf, type ColumnTile } from "../scalarTile/packColumns.js";
import { BLOCK_TERMS } from "../shared/blocks.js";
import { activationConstants, gatherTypes, paddingConstant, vectorResults } from "../shared/constants.js";
import { flippedPadding, liesInVectors, slopesOf } from "../shared/gather.js";
import { BYTES, type Tiling, transformConstants, type WinogradConfig } from "./winogradTiling.js";

/** Of a thread: result channels, and vectors of four tiles. */
const M_PER_THREAD = 8;
const VECTORS_PER_THREAD = 2;
/** Threads along M and N that share a product. */
const ALONG = 4;
const THREADS = 256;
const PRODUCTS = 16;
const VECTOR = 4;
const PATCH = 4;
const TILE_M = ALONG * M_PER_THREAD;
const TILE_N = ALONG * VECTORS_PER_THREAD * VECTOR;

/** Source channels that a kernel may take at a time. */
const SLICES: readonly number[] = [4, 8];

/** Bytes of workgroup memory. */
const workgroupBytes = (fusedChannels: number): number => BYTES * PRODUCTS * fusedChannels * (TILE_M + TILE_N);

/** How filters lie for the kernel. */
export const fusedTile = (fusedChannels: number): ColumnTile => ({ tileM: TILE_M, unit: fusedChannels });

/** Why a layer cannot be computed in one kernel; undefined where it can. */
export function fusedRefusal(
  { dtype }: ConvOperation,
  { gather, products }: Tiling,
  fusedChannels: number,
  { limits }: Capabilities,
): string | undefined {
  if (products !== PRODUCTS)
    return `a fused kernel takes F(2x2, 3x3), of ${String(PRODUCTS)} products, not ${String(products)}`;
  if (!SLICES.includes(fusedChannels))
    return `fusedChannels is ${String(fusedChannels)}; expected ${SLICES.join(" or ")}`;
  const bytes = workgroupBytes(fusedChannels);
  if (bytes > limits.maxComputeWorkgroupStorageSize) {
    return `fusedChannels of ${String(fusedChannels)} take ${String(bytes)} bytes of workgroup memory; the device has ${String(limits.maxComputeWorkgroupStorageSize)}`;
  }
  const mostThreads = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  if (THREADS > mostThreads) {
    return `a fused kernel has ${String(THREADS)} threads; the device's workgroups have at most ${String(mostThreads)}`;
  }
  return dtype === "float16" && gather.sourceChannels > BLOCK_TERMS
    ? `sums of more than ${String(BLOCK_TERMS)} channels are added up in the result, which is float16`
    : undefined;
}

/**
 * Of a thread, by RDNA's compilers: registers; instructions for a patch that is loaded and transformed, for a vector of filters, and for
 * a slice besides; for a block, whose sums change hands and are transformed back; and at a workgroup's beginning, where tiles are found.
 */
const REGISTERS = 128;
const [PATCH_INSTRUCTIONS, FILTER_INSTRUCTIONS, SLICE_INSTRUCTIONS] = [105, 5, 14];
const [BLOCK_INSTRUCTIONS, FIRST_INSTRUCTIONS] = [700, 250];
/** Bytes that a slice's patches bring of a channel: rows that overlap come from the nearest cache but once. */
const PATCH_BYTES = 2 * BYTES * PATCH * TILE_N;

/** A way to compute a layer in one kernel, with the clocks that are predicted for it. */
export interface FusedWay {
  readonly fusedChannels: number;
  readonly clocks: number;
}

/** Ways that the device can take, in registers that it wants a thread to hold, the fastest first. */
export function rankedFused(operation: ConvOperation, tiling: Tiling, capabilities: Capabilities): readonly FusedWay[] {
  if (REGISTERS > usableRegisters(policyOf(capabilities).device)) return [];
  return SLICES.filter((fusedChannels) => fusedRefusal(operation, tiling, fusedChannels, capabilities) === undefined)
    .map((fusedChannels) => ({ fusedChannels, clocks: predictClocks(operation, tiling, fusedChannels, capabilities) }))
    .sort((one, other) => one.clocks - other.clocks);
}

function predictClocks(
  operation: ConvOperation,
  { gather, tiles }: Tiling,
  fusedChannels: number,
  capabilities: Capabilities,
): number {
  const { device } = policyOf(capabilities);
  const { sourceChannels, resultChannels } = gather;
  const { groups } = operation.problem;
  const { tilesM, bytes } = columnsOf({ taps: 1, groups }, gather, fusedTile(fusedChannels));
  const slices = Math.ceil(sourceChannels / fusedChannels);
  const [patches, filters] = [fusedChannels * TILE_N, (PRODUCTS * fusedChannels * TILE_M) / VECTOR];
  const sums = M_PER_THREAD * VECTORS_PER_THREAD * VECTOR;
  const multiplying = fusedChannels * (sums + (M_PER_THREAD / VECTOR + VECTORS_PER_THREAD) * device.accessInstructions);
  const staging = (patches * PATCH_INSTRUCTIONS + filters * FILTER_INSTRUCTIONS) / THREADS + SLICE_INSTRUCTIONS;
  const blocks = Math.ceil(sourceChannels / BLOCK_TERMS);
  const clocksOf = (instructions: number): number => (THREADS * instructions) / device.lanes;
  // A product's threads read both sides of its tile; those of a subgroup that read the same share it.
  const read = PRODUCTS * fusedChannels * (TILE_M + TILE_N) * BYTES;
  const reads = (read + PRODUCTS * BYTES * patches + VECTOR * BYTES * filters) / device.workgroupBandwidth;
  const loads = (fusedChannels * PATCH_BYTES + VECTOR * BYTES * filters) / device.cacheBandwidth;
  const slice = overlapped(clocksOf(multiplying + staging), reads, loads);
  const each = slices * slice + clocksOf(blocks * BLOCK_INSTRUCTIONS + FIRST_INSTRUCTIONS);
  const workgroups = tilesM * groups * Math.ceil(tiles / TILE_N);
  const filled = (resultChannels * tiles) / (tilesM * TILE_M * Math.ceil(tiles / TILE_N) * TILE_N);
  const load = {
    workgroups,
    threads: THREADS,
    usefulThreads: THREADS * filled,
    each,
    registers: REGISTERS,
    workgroupBytes: workgroupBytes(fusedChannels),
    // Patches are loaded ahead, filters are not.
    ahead: false,
  };
  const tensors = tensorsOf(operation);
  const operands = tensors.operands + (PRODUCTS * bytes) / tensors.operandBytes;
  return deviceClocks({ m: resultChannels, n: tiles, copies: groups, ...tensors, operands }, load, 1, device);
}

/** The kernel behind the filters' transform. */
export function fusedDispatch(
  operation: ConvOperation,
  tiling: Tiling,
  config: WinogradConfig,
  fusedChannels: number,
  capabilities: Capabilities,
): Dispatch {
  const { problem } = operation;
  const { gather, tiles, grid, phases, dilation } = tiling;
  const { sourceSize, resultSize, sourceStrides, resultStrides } = gather.uniforms;
  const { sourceChannels, resultChannels, bindings } = gather;
  const pad = flippedPadding(gather, problem);
  const tilesM = Math.ceil(resultChannels / TILE_M);
  const padded = fusedChannels * Math.ceil(sourceChannels / fusedChannels);
  const tasks = tilesM * problem.groups * Math.ceil(tiles / TILE_N);
  const types = gatherTypes(operation);
  const vectors = vectorResults(
    types.Element,
    dilation[1] === 1 && dilation[0] === 1 && liesInVectors(gather, resultSize[2]),
  );
  return dispatch(kernel, {
    constants: {
      ...transformConstants(operation, config),
      SLICE: fusedChannels,
      RAGGED: padded !== sourceChannels,
      BLOCKED: sourceChannels > BLOCK_TERMS,
      MASKED: operation.masked,
      PADDING_MODE: gather.transposed ? 0 : paddingConstant(problem),
      HAS_BIAS: operation.bias,
      HAS_RESIDUAL: operation.residual,
      ...activationConstants(operation),
      ...vectors.constants,
    },
    types: { ...types, ...vectors.types },
    uniforms: {
      tasks,
      groups: problem.groups,
      tilesM,
      tiles,
      tileGrid: grid,
      phases,
      dilation,
      sourceChannels,
      resultChannels,
      filterPitch: (problem.groups * tilesM * padded * TILE_M) / VECTOR,
      sourceHeight: sourceSize[1],
      sourceWidth: sourceSize[2],
      padTop: pad[1],
      padLeft: pad[2],
      sourceStrides,
      resultHeight: resultSize[1],
      resultWidth: resultSize[2],
      resultStrides,
    },
    bindings: {
      source: bindings.source,
      activated: operation.masked ? "activated" : slopesOf(operation),
      filters: "winograd filters",
      bias: bindings.bias,
      residual: bindings.residual,
      result: bindings.result,
    },
    workgroups: foldWorkgroups(tasks, capabilities),
    multiplyAdds: tasks * PRODUCTS * TILE_M * TILE_N * padded,
  });
}
