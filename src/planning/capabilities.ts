/** What a device can do, as plain data. Solvers see this and never the device. */
import { adapterInfoOf, type Classification, classify } from "./adapter.js";
import type { DeviceClass } from "./devices.js";

/** The limits that planning depends on. */
export interface CapabilityLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeWorkgroupSizeY: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}

/** A product of matrices that a subgroup computes as a whole: M x K times K x N. */
export interface SubgroupMatrix {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** The most lanes of a subgroup. */
  readonly lanes: number;
}

/** Dawn's experimental feature: adapters have it where the browser, or Dawn, was started with unsafe features. */
const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix" as GPUFeatureName;

export interface Capabilities extends Classification {
  readonly timestamps: boolean;
  /** Shaders may use f16. */
  readonly shaderF16: boolean;
  /** The least lanes of a subgroup, where shaders may use subgroups; 1 elsewhere. */
  readonly subgroupLanes: number;
  /** Matrices of float16 that a subgroup multiplies with sums in float32; absent where the device has none. */
  readonly subgroupMatrix?: SubgroupMatrix;
  readonly limits: CapabilityLimits;
  /** In how many parts sums are split, where that must be as for another operation. What suits the device when absent. */
  readonly splitK?: number;
  /** Whether what is fused into a pass takes a dispatch of its own, since one dispatch would bind too much. Not when absent. */
  readonly finishesApart?: boolean;
}

const LIMIT_NAMES = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies readonly (keyof CapabilityLimits)[];

/** The specification's default limits, which every WebGPU device has. For planning without a device. */
export const DEFAULT_CAPABILITIES: Capabilities = {
  deviceClass: "unknown",
  classifiedBy: "nothing tells it",
  timestamps: false,
  shaderF16: false,
  subgroupLanes: 1,
  limits: {
    maxBufferSize: 268_435_456,
    maxStorageBufferBindingSize: 134_217_728,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16_384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupSizeX: 256,
    maxComputeWorkgroupSizeY: 256,
    maxComputeWorkgroupsPerDimension: 65_535,
  },
};

/**
 * A device descriptor that asks an adapter for all limits and features that this library uses.
 *
 * @internal
 */
export function deviceRequest(adapter: GPUAdapter): GPUDeviceDescriptor {
  const requiredLimits = Object.fromEntries(LIMIT_NAMES.map((name) => [name, adapter.limits[name]]));
  const wanted: GPUFeatureName[] = ["timestamp-query", "shader-f16", "subgroups", SUBGROUP_MATRIX];
  return {
    label: "webgpu-conv",
    requiredLimits,
    requiredFeatures: wanted.filter((name) => adapter.features.has(name)),
  };
}

/** Shaders count elements, and an image's bytes, in 32 bits: they cannot address a larger buffer. */
export const MOST_BYTES = 2 ** 32 - 4;

/**
 * @param deviceClass what the caller says it is; what the adapter tells when absent
 * @param adapterInfo of the adapter; as far as the device knows it when absent
 * @internal
 */
export function readCapabilities(
  device: GPUDevice,
  deviceClass?: DeviceClass,
  adapterInfo = adapterInfoOf(device),
): Capabilities {
  const limits = Object.fromEntries(
    LIMIT_NAMES.map((name) => [name, Math.min(device.limits[name], MOST_BYTES)]),
  ) as Record<keyof CapabilityLimits, number>;
  const classification: Classification = deviceClass
    ? { deviceClass, classifiedBy: "by the caller" }
    : classify(adapterInfoOf(device), limits.maxComputeWorkgroupStorageSize);
  return {
    ...classification,
    timestamps: device.features.has("timestamp-query"),
    shaderF16: device.features.has("shader-f16"),
    subgroupLanes: readSubgroupLanes(device),
    ...readSubgroupMatrix(device, adapterInfo),
    limits,
  };
}

/** Browsers that have subgroups and do not say their sizes are taken to have none. */
function readSubgroupLanes(device: GPUDevice): number {
  const { subgroupMinSize = 0 } = adapterInfoOf(device);
  return device.features.has("subgroups") && subgroupMinSize >= 1 ? subgroupMinSize : 1;
}

/** What an adapter says of a product of matrices, where it has the feature. */
interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

function readSubgroupMatrix(
  { features }: GPUDevice,
  info: ReturnType<typeof adapterInfoOf> & { readonly subgroupMatrixConfigs?: Iterable<MatrixConfig> },
): Pick<Capabilities, "subgroupMatrix"> {
  const { subgroupMatrixConfigs = [], subgroupMaxSize: lanes } = info;
  if (!features.has(SUBGROUP_MATRIX) || lanes === undefined) return {};
  const config = [...subgroupMatrixConfigs].find(
    ({ componentType, resultComponentType }) => componentType === "f16" && resultComponentType === "f32",
  );
  return config ? { subgroupMatrix: { m: config.M, n: config.N, k: config.K, lanes } } : {};
}
