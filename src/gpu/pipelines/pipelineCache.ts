/** Compute pipelines, kept by their text. A text is loaded when it is first asked for, and compiled asynchronously. */
import { DeviceError, textOf } from "../../base/errors.js";
import { dataKey } from "../../base/keys.js";
import { Recent } from "../../base/recent.js";
import { type Kernel, loadKernel } from "../../kernels/kernel.js";
import { type AliasTypes, type ConstantValues, specialize, withoutBindings } from "../../kernels/specialize.js";
import { compile } from "./compile.js";

/** A pipeline that is being compiled, is ready, or has failed. */
export interface PipelineEntry {
  readonly label: string;
  readonly bindGroupLayout: GPUBindGroupLayout;
  /** Bindings that the kernel declares and the layout lacks. */
  readonly leftOut: readonly string[];
  /** Set once compiled. */
  pipeline: GPUComputePipeline | undefined;
  /** Set if compilation failed. */
  error: DeviceError | undefined;
  /** Resolves, never rejects, when either is set. */
  readonly settled: Promise<void>;
}

interface Layout {
  readonly bindGroup: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

/**
 * The most pipelines that are kept: several times those of a large network and its gradients. Beyond that the one leaves that was
 * asked for longest ago. Plans and recorded work that use it keep it alive.
 */
const MOST_KEPT = 1024;

export class PipelineCache {
  readonly #device: GPUDevice;
  /** By kernel, label, constants and types. */
  readonly #entries = new Recent<PipelineEntry>(MOST_KEPT);
  /** Pipelines that are compiled or compiling, by label and text. */
  readonly #pipelines = new Recent<Promise<GPUComputePipeline>>(MOST_KEPT);
  /** By kernel, and by the bindings that are left out. */
  readonly #layouts = new Map<Kernel, Map<string, Layout>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** How many pipelines were compiled, or failed, so far. */
  settled = 0;

  /** How many pipelines are kept, compiled or compiling. */
  get size(): number {
    return this.#pipelines.size;
  }

  /**
   * The pipeline of `kernel` with these constants and types; starts loading and compiling it if it is new.
   *
   * @param label of the pipeline, for profilers. Operations with different labels share no pipeline.
   * @param unused bindings that it never touches. They are left out where the device binds fewer than the kernel declares, and where
   *   one of several may be written: what stands in for them is one buffer, which must not be bound beside that.
   */
  get(
    kernel: Kernel,
    constants: ConstantValues,
    types: AliasTypes = {},
    label = kernel.name,
    unused: readonly string[] = [],
  ): PipelineEntry {
    const entries = this.#entries;
    const declared = Object.keys(kernel.bindings).length;
    const clashes = unused.length > 1 && unused.some((name) => kernel.bindings[name].access !== "read");
    const leftOut = clashes || declared > this.#device.limits.maxStorageBuffersPerShaderStage ? unused : [];
    const key = dataKey([kernel.name, label, constants, types, leftOut]);
    const known = entries.get(key);
    if (known) return known;
    const { bindGroup, pipeline: layout } = this.#layoutOf(kernel, leftOut);
    const make = async (): Promise<void> => {
      try {
        const loaded = await loadKernel(kernel, constants.FORMULA === true);
        const code = withoutBindings(specialize(loaded, constants, types), leftOut);
        entry.pipeline = await this.#pipelineOf(label, code, layout);
      } catch (error) {
        entry.error = asDeviceError(kernel, error);
        // A failure is not kept: its cause may pass (memory, a lost device, no connection).
        entries.delete(key);
      }
      this.settled++;
    };
    const entry: PipelineEntry = {
      label,
      bindGroupLayout: bindGroup,
      leftOut,
      pipeline: undefined,
      error: undefined,
      settled: Promise.resolve().then(make),
    };
    entries.set(key, entry);
    return entry;
  }

  async #pipelineOf(label: string, code: string, layout: GPUPipelineLayout): Promise<GPUComputePipeline> {
    const key = `${label}\n${code}`;
    const known = this.#pipelines.get(key);
    if (known) return await known;
    const compiling = compile(this.#device, label, code, (module) =>
      this.#device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: "main" } }),
    );
    this.#pipelines.set(key, compiling);
    compiling.catch(() => this.#pipelines.delete(key));
    return await compiling;
  }

  #layoutOf(kernel: Kernel, leftOut: readonly string[]): Layout {
    const ofKernel = this.#layouts.get(kernel) ?? new Map<string, Layout>();
    this.#layouts.set(kernel, ofKernel);
    const key = leftOut.join();
    const known = ofKernel.get(key);
    if (known) return known;
    const visibility = GPUShaderStage.COMPUTE;
    const entries: GPUBindGroupLayoutEntry[] = [{ binding: 0, visibility, buffer: { type: "uniform" } }];
    for (const [name, { binding, access }] of Object.entries(kernel.bindings)) {
      if (leftOut.includes(name)) continue;
      entries.push({ binding, visibility, buffer: { type: access === "read" ? "read-only-storage" : "storage" } });
    }
    const bindGroup = this.#device.createBindGroupLayout({ label: kernel.name, entries });
    const pipeline = this.#device.createPipelineLayout({ label: kernel.name, bindGroupLayouts: [bindGroup] });
    const layout = { bindGroup, pipeline };
    ofKernel.set(key, layout);
    return layout;
  }
}

/** Why a kernel was not compiled: its text did not load, or the device refuses it. */
const asDeviceError = ({ name }: Kernel, error: unknown): DeviceError =>
  error instanceof DeviceError
    ? error
    : new DeviceError(`kernel ${name} did not compile: ${textOf(error)}`, { cause: error });
