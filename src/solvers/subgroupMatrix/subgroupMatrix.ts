/**
 * Subgroup matrices: a matrix product whose tiles a subgroup multiplies as a whole, on units made for it where a GPU has them
 * (AMD's from RDNA3 on, NVIDIA's tensor cores, Intel's XMX, Apple's simdgroup matrices). Forward pass and input gradient of
 * pointwise layers in float16; sums are in float32, and exact where those of other solvers are.
 *
 *   C[m, n] = sum over source channels k of A[m, k] * B[k, n]          M, N, K as in implicitGemm.ts
 *
 *                     N
 *            +-----+-----+
 *          M |##|##|  |  |    a workgroup of subgroupsM * subgroupsN subgroups
 *            |##|##|  |  |    a subgroup: matricesM * matricesN matrices of sums (#)
 *            +-----+-----+    a matrix: of the size that the device multiplies, 16 x 16 or 8 x 8
 *            |  |  |  |  |
 *            +-----+-----+
 *
 * It needs Dawn's experimental feature, which browsers offer behind a flag alone (`--enable-unsafe-webgpu` in Chromium, the option
 * "enable-dawn-features=allow_unsafe_apis" in Node). It is never chosen, for it has run on no GPU: where the feature is there, it
 * runs by name, and the tuner, which checks results first, measures it. Tests run it with its lanes multiplying by themselves.
 */
import kernel from "../../../shaders/subgroup_matrix/subgroup_matrix.wgsl";
import type { Capabilities, SubgroupMatrix } from "../../planning/capabilities.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import { BLOCK_TERMS, MOST_TERMS } from "../shared/blocks.js";
import { activationConstants, countRefusal, gatherTypes, unsharedRefusal, vectorResults } from "../shared/constants.js";
import { describeGather } from "../shared/gather.js";

export interface SubgroupMatrixConfig {
  /** Subgroups of a workgroup along M. More read each source once for more channels. */
  readonly subgroupsM: number;
  /** Along N. More read each weight once for more positions. */
  readonly subgroupsN: number;
  /** Matrices of a subgroup along M. More use each matrix of sources more often; each takes registers for its sums. */
  readonly matricesM: number;
  /** Along N. More use each matrix of weights more often; each takes registers for its sums. */
  readonly matricesN: number;
  /** K in workgroup memory at a time, a multiple of a matrix's. More save barriers; each takes memory of both tiles. */
  readonly tileK: number;
}

const HALF_BYTES = 2;
const FLOAT_BYTES = 4;
/** M and N of a subgroup, as candidates have them. */
const SUBGROUP_TILES = [
  [32, 32],
  [64, 32],
  [16, 32],
] as const;
const TILE_K = 32;

/** M and N of a workgroup's tile. */
function tileOf({ subgroupsM, subgroupsN, matricesM, matricesN }: SubgroupMatrixConfig, { m, n }: SubgroupMatrix) {
  return { tileM: subgroupsM * matricesM * m, tileN: subgroupsN * matricesN * n };
}

function operationRefusal({ dtype, problem }: ConvOperation, k: number): string | undefined {
  if (dtype !== "float16") return `tensors are ${dtype}; matrices are multiplied in float16`;
  if (!isPointwise(problem)) return "the layer is no 1x1 layer at stride 1 without padding";
  return k > MOST_TERMS ? `sums have ${String(k)} terms; at most ${String(MOST_TERMS)}` : undefined;
}

/** Why the device, or the kernel, cannot use a tile; undefined when it can. */
function tileRefusal(
  config: SubgroupMatrixConfig,
  matrix: SubgroupMatrix,
  { limits }: Capabilities,
): string | undefined {
  const wrong = countRefusal({ ...config });
  if (wrong !== undefined) return wrong;
  const { tileK, subgroupsM, subgroupsN } = config;
  const { m, n, k, lanes } = matrix;
  if (tileK % k !== 0 || BLOCK_TERMS % tileK !== 0) {
    return `tileK is ${String(tileK)}; expected a multiple of ${String(k)} that divides ${String(BLOCK_TERMS)}`;
  }
  if ((m * n) % lanes !== 0) return `${String(lanes)} lanes do not divide a matrix of ${String(m)} x ${String(n)}`;
  const threads = lanes * subgroupsM * subgroupsN;
  const mostThreads = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  if (threads > mostThreads) {
    return `the tile needs ${String(threads)} threads in a workgroup; the device has at most ${String(mostThreads)}`;
  }
  const { tileM, tileN } = tileOf(config, matrix);
  if ([tileM, tileN].some((extent) => (extent * tileK) % threads !== 0)) {
    return `a tile of ${String(tileM)} x ${String(tileN)} x ${String(tileK)} does not divide evenly among ${String(threads)} threads`;
  }
  const tiles = HALF_BYTES * tileK * (tileM + tileN);
  const bytes = tiles + FLOAT_BYTES * (tileN + subgroupsM * subgroupsN * m * n);
  const mostBytes = limits.maxComputeWorkgroupStorageSize;
  return bytes > mostBytes
    ? `the tile needs ${String(bytes)} bytes of workgroup memory; the device has ${String(mostBytes)}`
    : undefined;
}

/** Constants and types of matrices: left, right and sums are types of their own, columns before rows. */
function matrixForm({ m, n, k, lanes }: SubgroupMatrix) {
  const typeOf = (kind: string, columns: number, rows: number): string =>
    `subgroup_matrix_${kind}, ${String(columns)}, ${String(rows)}>`;
  return {
    constants: { MATRIX_M: m, MATRIX_N: n, MATRIX_K: k, LANES: lanes, SUBGROUP_MATRICES: true },
    types: { Left: typeOf("left<f16", k, m), Right: typeOf("right<f16", n, k), Product: typeOf("result<f32", n, m) },
  };
}

export const subgroupMatrix: Solver<SubgroupMatrixConfig> = {
  name: "subgroup-matrix",
  directions: ["forward", "inputGradient"],
  usesWorkgroupMemory: true,
  knobs: { subgroupsM: true, subgroupsN: true, matricesM: true, matricesN: true, tileK: true },

  configs(_, capabilities) {
    const { subgroupMatrix: matrix = { m: 16, n: 16, k: 16, lanes: 32 } } = capabilities;
    const all = SUBGROUP_TILES.map(([m, n]): SubgroupMatrixConfig => ({
      subgroupsM: 2,
      subgroupsN: matrix.lanes > 64 ? 1 : 2,
      matricesM: Math.max(1, m / matrix.m),
      matricesN: Math.max(1, n / matrix.n),
      tileK: Math.max(TILE_K, matrix.k),
    }));
    const able = all.filter((config) => tileRefusal(config, matrix, capabilities) === undefined);
    // The plan of this one says why.
    return able.length > 0 ? able : all.slice(0, 1);
  },

  discouraged: () => "it has been measured on no GPU",

  plan(operation, capabilities, config) {
    const gather = describeGather(operation);
    const { sourceChannels: k, resultChannels, n, phasePositions, uniforms } = gather;
    const { subgroupMatrix: matrix } = capabilities;
    const unable = unsharedRefusal(operation.problem) ?? operationRefusal(operation, k);
    if (unable !== undefined) return { refused: unable };
    if (!matrix) {
      return { refused: "the device has no subgroup matrices of float16 with float32 sums, an experimental feature" };
    }
    const refused = tileRefusal(config, matrix, capabilities);
    if (refused !== undefined) return { refused };
    const { subgroupsM, subgroupsN, matricesM, matricesN, tileK } = config;
    const { tileM, tileN } = tileOf(config, matrix);
    const { groups } = operation.problem;
    const [tilesM, tilesN] = [Math.ceil(resultChannels / tileM), Math.ceil(n / tileN)];
    const tasks = groups * tilesM * tilesN;
    const types = gatherTypes(operation);
    const results = vectorResults(types.Element, false);
    const form = matrixForm(matrix);
    const step = dispatch(kernel, {
      constants: {
        ...activationConstants(operation),
        ...results.constants,
        ...form.constants,
        HAS_BIAS: operation.bias,
        HAS_RESIDUAL: operation.residual,
        MASKED: operation.masked,
        SUBGROUPS_M: subgroupsM,
        SUBGROUPS_N: subgroupsN,
        MATRICES_M: matricesM,
        MATRICES_N: matricesN,
        TILE_K: tileK,
      },
      types: { ...types, ...results.types, ...form.types },
      uniforms: {
        n,
        positions: phasePositions,
        k,
        resultChannels,
        groups,
        tilesM,
        tilesN,
        tasks,
        sourceStrides: uniforms.sourceStrides,
        resultStrides: uniforms.resultStrides,
        weightStrides: uniforms.weightStrides,
        weightGroupStride: uniforms.weightGroupStride,
      },
      bindings: gather.bindings,
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds: groups * tilesM * tileM * tilesN * tileN * tileK * Math.ceil(k / tileK),
    });
    return { dispatches: [step], scratchBytes: {} };
  },
};
