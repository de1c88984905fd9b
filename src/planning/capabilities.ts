/** What a device can do, as plain data: solvers see this and never the device. */
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

export interface Capabilities extends Classification {
  readonly timestamps: boolean;
  /** Shaders may use f16. */
  readonly shaderF16: boolean;
  /** Lanes that every subgroup has at least, in shaders that may use them; 1 where shaders may not. */
  readonly subgroupLanes: number;
  readonly limits: CapabilityLimits;
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

/** What every WebGPU device has: the specification's default limits. For planning without a device. */
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
 * The device request that asks an adapter for all it has of what this library uses.
 *
 * @internal
 */
export function deviceRequest(adapter: GPUAdapter): GPUDeviceDescriptor {
  const requiredLimits = Object.fromEntries(LIMIT_NAMES.map((name) => [name, adapter.limits[name]]));
  const wanted: GPUFeatureName[] = ["timestamp-query", "shader-f16", "subgroups"];
  return {
    label: "webgpu-conv",
    requiredLimits,
    requiredFeatures: wanted.filter((name) => adapter.features.has(name)),
  };
}

/** Shaders count elements, and an image's bytes, in 32 bits: what lies in a larger buffer they would not find. */
const MOST_BYTES = 2 ** 32 - 4;

/**
 * @param deviceClass what the caller says it is; what the adapter tells when absent
 * @internal
 */
export function readCapabilities(device: GPUDevice, deviceClass?: DeviceClass): Capabilities {
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
    limits,
  };
}

/** Browsers that have the feature, but do not tell its sizes, are taken to have none. */
function readSubgroupLanes(device: GPUDevice): number {
  const { subgroupMinSize = 0 } = adapterInfoOf(device);
  return device.features.has("subgroups") && subgroupMinSize >= 1 ? subgroupMinSize : 1;
}
