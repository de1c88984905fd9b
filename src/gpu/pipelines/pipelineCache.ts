/** Compute pipelines, kept by their text. A text is loaded when it is first asked for, and compiled asynchronously. */
import { DeviceError, textOf } from "../../base/errors.js";
import { dataKey } from "../../base/keys.js";
import { Recent } from "../../base/recent.js";
import { type Kernel, loadKernel } from "../../kernels/kernel.js";
import { type AliasTypes, type ConstantValues, specialize } from "../../kernels/specialize.js";
import { compile } from "./compile.js";

/** A pipeline that is being compiled, is ready, or has failed. */
export interface PipelineEntry {
  readonly label: string;
  readonly bindGroupLayout: GPUBindGroupLayout;
  /** Set once compiled. */
  pipeline: GPUComputePipeline | undefined;
  /** Set if compilation failed. */
  error: DeviceError | undefined;
  /** Resolves, never rejects, when either is set. */
  readonly settled: Promise<void>;
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
  readonly #layouts = new Map<Kernel, { bindGroup: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** How many pipelines are kept, compiled or compiling. */
  get size(): number {
    return this.#pipelines.size;
  }

  /**
   * The pipeline of `kernel` with these constants and types; starts loading and compiling it if it is new.
   *
   * @param label of the pipeline, for profilers. Operations with different labels share no pipeline.
   */
  get(kernel: Kernel, constants: ConstantValues, types: AliasTypes = {}, label = kernel.name): PipelineEntry {
    const entries = this.#entries;
    const key = dataKey([kernel.name, label, constants, types]);
    const known = entries.get(key);
    if (known) return known;
    const { bindGroup, pipeline: layout } = this.#layoutOf(kernel);
    const make = async (): Promise<void> => {
      try {
        const loaded = await loadKernel(kernel, constants.FORMULA === true);
        entry.pipeline = await this.#pipelineOf(label, specialize(loaded, constants, types), layout);
      } catch (error) {
        entry.error = asDeviceError(kernel, error);
        // A failure is not kept: its cause may pass (memory, a lost device, no connection).
        entries.delete(key);
      }
    };
    const entry: PipelineEntry = {
      label,
      bindGroupLayout: bindGroup,
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

  #layoutOf(kernel: Kernel): { bindGroup: GPUBindGroupLayout; pipeline: GPUPipelineLayout } {
    const known = this.#layouts.get(kernel);
    if (known) return known;
    const visibility = GPUShaderStage.COMPUTE;
    const entries: GPUBindGroupLayoutEntry[] = [{ binding: 0, visibility, buffer: { type: "uniform" } }];
    for (const { binding, access } of Object.values(kernel.bindings)) {
      entries.push({ binding, visibility, buffer: { type: access === "read" ? "read-only-storage" : "storage" } });
    }
    const bindGroup = this.#device.createBindGroupLayout({ label: kernel.name, entries });
    const pipeline = this.#device.createPipelineLayout({ label: kernel.name, bindGroupLayouts: [bindGroup] });
    const layout = { bindGroup, pipeline };
    this.#layouts.set(kernel, layout);
    return layout;
  }
}

/** Why a kernel was not compiled: its text did not load, or the device refuses it. */
const asDeviceError = ({ name }: Kernel, error: unknown): DeviceError =>
  error instanceof DeviceError
    ? error
    : new DeviceError(`kernel ${name} did not compile: ${textOf(error)}`, { cause: error });
