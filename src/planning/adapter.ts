/** What an adapter tells of itself: in words, and as the class of devices that it belongs to. */
import type { DeviceClass } from "./devices.js";

/**
 * What is read of an adapter's description.
 *
 * @internal
 */
type AdapterInfo = Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description" | "isFallbackAdapter"> &
  Partial<Pick<GPUAdapterInfo, "subgroupMinSize" | "subgroupMaxSize">>;

const UNKNOWN: AdapterInfo = { vendor: "", architecture: "", device: "", description: "", isFallbackAdapter: false };

/**
 * What a device tells of its adapter: nothing, in browsers whose devices do not know it yet.
 *
 * @internal
 */
export const adapterInfoOf = ({ adapterInfo }: { readonly adapterInfo?: AdapterInfo }): AdapterInfo =>
  adapterInfo ?? UNKNOWN;

const wordsOf = ({ vendor, architecture, device, description }: AdapterInfo): string[] => [
  ...new Set([vendor, architecture, device, description].filter((word) => word !== "")),
];

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic.render|warp/i;

/**
 * Whether the adapter runs on the CPU. Fallback adapters do; the others known to are told by name.
 *
 * @internal
 */
export const isSoftware = (info: AdapterInfo): boolean =>
  SOFTWARE.test(wordsOf(info).join(" ")) || info.isFallbackAdapter;

/**
 * The adapter in words, as far as the browser tells: vendor, architecture, device, description.
 *
 * @internal
 */
export function describeAdapter(info: AdapterInfo): string {
  const name = wordsOf(info).join(" ") || "unnamed WebGPU adapter";
  return isSoftware(info) ? `${name} (software: runs on the CPU)` : name;
}

/**
 * Classes by names, of which the first that fits counts. "-" stands for whatever parts words. Dawn has "rdna-2", "gen-12lp",
 * "xe-2hpg" (src/dawn/gpu_info.json), and nothing for cards that came later; Safari has "apple" in every field; Deno and Dawn in Node
 * have drivers' names, such as "AMD Radeon RX 6700 XT (RADV NAVI22)".
 *
 * AMD's architectures are those of cards and of APUs, and browsers tell no more. RDNA is taken for a card then: smaller tiles cost an
 * APU less than a card loses of which most is idle. GCN 5 is taken for an APU: few are cards.
 */
const NAMES: readonly (readonly [DeviceClass, RegExp])[] = [
  ["nvidia", /nvidia|geforce/],
  ["apple", /apple/],
  ["adreno", /qualcomm|adreno/],
  ["mali", /\barm\b|\bmali\b|immortalis/],
  ["intel-xe2", /intel.*-(xe-?[2-9]|gen-13|lnl|bmg|ptl|b\d{3}|1[34]0v)/],
  ["intel-xe-hpg", /intel.*-(gen-12-?hp|xe-hpg|dg2|a\d{3}m?-)/],
  ["intel-xe-lp", /intel/],
  ["amd-gcn", /(amd|rad[ev]).*-(gcn-[1-4]|vega[12]|rx-(vega|[45]\d\d-))/],
  ["amd-rdna", /(amd|rad[ev]).*-(navi|rx-\d{4})/],
  ["amd-apu", /samsung|(amd|rad[ev]).*-(gcn-5|graphics|[6-8]\d0m|80\d0s|vangogh|phoenix|gfx1(103|15))/],
  ["amd-rdna", /rdna/],
];

/** Classes by the least and the most lanes of subgroups: those that Mesa's drivers tell of them, and Arm of its GPUs from Valhall on. */
const LANES: Readonly<Record<string, DeviceClass>> = {
  "32 to 64": "amd-rdna",
  "64 to 64": "amd-apu",
  "64 to 128": "adreno",
  "8 to 32": "intel-xe-lp",
  "16 to 32": "intel-xe2",
  "16 to 16": "mali",
};

/** Of workgroup memory, in NVIDIA's drivers for Vulkan: what CUDA gives a block that asks for no more. */
const NVIDIA_BYTES = 49_152;

/** A class of devices, and by what it was told. */
export interface Classification {
  readonly deviceClass: DeviceClass;
  /** In words: `by the name "nvidia ampere"`. */
  readonly classifiedBy: string;
}

/**
 * The class by names, or else by the lanes of subgroups, or else by workgroup memory. "unknown" where none of them tells: in
 * Firefox, and for GPUs of makers that have no class.
 *
 * @param workgroupBytes the limit of workgroup memory
 * @internal
 */
export function classify(info: AdapterInfo, workgroupBytes: number): Classification {
  const name = wordsOf(info).join(" ");
  const found = (deviceClass: DeviceClass, classifiedBy: string): Classification => ({ deviceClass, classifiedBy });
  const byName = `by the name ${JSON.stringify(name)}`;
  if (isSoftware(info)) return found("software", name === "" ? "a fallback adapter" : byName);
  const words = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}-`;
  const named = NAMES.find(([, pattern]) => pattern.test(words));
  if (named) return found(named[0], byName);
  const lanes = `${String(info.subgroupMinSize)} to ${String(info.subgroupMaxSize)}`;
  if (Object.hasOwn(LANES, lanes)) return found(LANES[lanes], `by subgroups of ${lanes} lanes`);
  if (workgroupBytes === NVIDIA_BYTES) return found("nvidia", `by ${String(workgroupBytes)} bytes of workgroup memory`);
  return found("unknown", "nothing tells it");
}
