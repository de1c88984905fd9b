/** Compute pipelines, compiled asynchronously and kept by the text that was compiled. */
import { DeviceError } from "../base/errors.js";
import type { Kernel } from "../kernels/kernel.js";
import { type AliasTypes, type ConstantValues, specialize } from "../kernels/specialize.js";
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

export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #entries = new Map<string, PipelineEntry>();
  readonly #layouts = new Map<Kernel, { bindGroup: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Pipelines compiled or compiling. */
  get size(): number {
    return this.#entries.size;
  }

  /** The pipeline of `kernel` with these constants and types; starts compiling it if it is new. */
  get(kernel: Kernel, constants: ConstantValues, types: AliasTypes = {}): PipelineEntry {
    const code = specialize(kernel, constants, types);
    const known = this.#entries.get(code);
    if (known) return known;
    const layout = this.#layoutOf(kernel);
    const entry: PipelineEntry = {
      label: kernel.name,
      bindGroupLayout: layout.bindGroup,
      pipeline: undefined,
      error: undefined,
      settled: Promise.resolve().then(() => this.#compile(kernel.name, code, layout.pipeline, entry)),
    };
    this.#entries.set(code, entry);
    return entry;
  }

  async #compile(label: string, code: string, layout: GPUPipelineLayout, entry: PipelineEntry): Promise<void> {
    try {
      entry.pipeline = await compile(this.#device, label, code, (module) =>
        this.#device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: "main" } }),
      );
    } catch (error) {
      entry.error = error instanceof DeviceError ? error : new DeviceError(String(error), { cause: error });
      // A failure is not kept: it may have been the moment's (memory, a lost device).
      this.#entries.delete(code);
    }
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
