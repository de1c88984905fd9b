/** A plan made ready for one device: pipelines asked for, uniforms written, bind groups kept. */
import type { Speed } from "../../planning/parts.js";
import { type Packing, packingOf } from "../../planning/packing.js";
import { type BindingSource, type Dispatch, type Scratch, type SolverPlan, unusedOf } from "../../planning/solver.js";
import type { Allocation, Allocator } from "../device/allocation.js";
import type { PooledBuffer } from "../device/bufferPool.js";
import { isPlatformError } from "../device/deviceErrors.js";
import type { PipelineCache, PipelineEntry } from "./pipelineCache.js";
import type { Trial } from "./trial.js";
import { packUniforms } from "../../kernels/uniforms.js";

/** A kernel to start. Its buffers are bound when it is encoded: until then they may be made once more. */
export interface RecordedDispatch {
  readonly pipeline: PipelineEntry;
  readonly uniforms: Allocation;
  readonly bindGroup: GPUBindGroup;
  readonly buffers: Readonly<Partial<Record<string, PooledBuffer>>>;
  readonly workgroups: readonly [number, number, number];
  /** Predicted, on a typical device of the class. */
  readonly milliseconds: number;
  /** Whether it changes nothing while weights are finite. */
  readonly repairs: boolean;
}

/** The buffers of one run of an operation. */
export type OperationBuffers = Partial<Record<BindingSource, PooledBuffer>>;

/**
 * The most bind groups that are kept for a dispatch: more than the operations of a batch (64). Buffers come back only when the
 * batch is submitted, so results that are disposed of at once take turns among that many.
 */
const BIND_GROUPS_KEPT = 256;

/** A buffer that there was no room for may throw here. Its error scope says so, too, and is waited for. */
function fill(mapped: GPUBuffer, bytes: Uint8Array): void {
  try {
    new Uint8Array(mapped.getMappedRange()).set(bytes);
    mapped.unmap();
  } catch (error) {
    if (!isPlatformError(error)) throw error;
  }
}

/** Begins the trial of a plan's kernels, of those of repairs only where these are used; undefined where all have passed. */
export type TryOut = (repairs: boolean) => Trial | undefined;

interface KeptBindGroup {
  readonly bindGroup: GPUBindGroup;
  /** Takes it out of the kept ones, and its buffers' reference to it. */
  readonly forget: () => void;
}

class PreparedDispatch {
  readonly #device: GPUDevice;
  readonly uniforms: Allocation;
  readonly #sources: readonly (readonly [name: string, binding: number, source: BindingSource])[];
  readonly #bindGroups = new Map<string, KeptBindGroup>();
  readonly workgroups: readonly [number, number, number];
  readonly milliseconds: number;
  readonly repairs: boolean;
  readonly #askFor: () => PipelineEntry;
  /** Undefined before it is asked for: a repair's kernel is compiled when it is first needed. */
  started: PipelineEntry | undefined;

  constructor(
    device: GPUDevice,
    cache: PipelineCache,
    allocator: Allocator,
    { kernel, constants, types, uniforms, bindings, workgroups, milliseconds = 0, repairs = false }: Dispatch,
    label: string,
  ) {
    this.#device = device;
    this.milliseconds = milliseconds;
    this.repairs = repairs;
    const names = Object.keys(kernel.bindings);
    const unused = unusedOf(kernel, bindings);
    this.#askFor = () => cache.get(kernel, constants, types, label, unused);
    if (!repairs) this.started = this.#askFor();
    this.workgroups = workgroups;
    this.#sources = names.map((name) => [name, kernel.bindings[name].binding, bindings[name]] as const);
    const bytes = new Uint8Array(packUniforms(kernel, uniforms));
    const size = bytes.byteLength;
    const descriptor = { label, size, usage: GPUBufferUsage.UNIFORM, mappedAtCreation: true };
    const made = allocator.allocate({}, descriptor, ({ buffer, error }) => {
      if (buffer !== first && !error) fill(buffer, bytes);
    });
    const first = made.buffer;
    fill(first, bytes);
    this.uniforms = made;
  }

  get pipeline(): PipelineEntry {
    return (this.started ??= this.#askFor());
  }

  bind(buffers: OperationBuffers): RecordedDispatch {
    return new BoundDispatch(this, buffers);
  }

  bindGroupOf(buffers: OperationBuffers): GPUBindGroup {
    let key = "";
    for (const [, , source] of this.#sources) key += `${String(buffers[source]?.id)},`;
    return this.#bindGroups.get(key)?.bindGroup ?? this.#makeBindGroup(key, buffers);
  }

  #makeBindGroup(key: string, buffers: OperationBuffers): GPUBindGroup {
    const entries: GPUBindGroupEntry[] = [{ binding: 0, resource: { buffer: this.uniforms.buffer } }];
    const bound: PooledBuffer[] = [];
    const forget = (): void => {
      this.#bindGroups.delete(key);
      for (const { onDestroy } of bound) onDestroy.delete(forget);
    };
    const { leftOut } = this.pipeline;
    for (const [name, binding, source] of this.#sources) {
      if (leftOut.includes(name)) continue;
      const pooled = buffers[source];
      if (!pooled) throw new Error(`kernel ${this.pipeline.label} needs a buffer for "${source}"`);
      const { buffer, offset, bytes } = pooled;
      entries.push({ binding, resource: { buffer, offset, size: bytes } });
      pooled.onDestroy.add(forget);
      bound.push(pooled);
    }
    const bindGroup = this.#device.createBindGroup({
      label: this.pipeline.label,
      layout: this.pipeline.bindGroupLayout,
      entries,
    });
    if (this.#bindGroups.size >= BIND_GROUPS_KEPT) {
      const [oldest] = this.#bindGroups.values();
      oldest.forget();
    }
    this.#bindGroups.set(key, { bindGroup, forget });
    return bindGroup;
  }

  /** Forgets the bind groups. Those that are still needed are made anew. */
  forget(): void {
    for (const { forget } of this.#bindGroups.values()) forget();
  }

  dispose(): void {
    this.forget();
    this.uniforms.buffer.destroy();
  }
}

/** A dispatch on certain buffers. A sequence, recorded once and replayed, binds them once. */
class BoundDispatch implements RecordedDispatch {
  readonly buffers: OperationBuffers;
  readonly #prepared: PreparedDispatch;
  #bindGroup: GPUBindGroup | undefined;

  constructor(prepared: PreparedDispatch, buffers: OperationBuffers) {
    this.#prepared = prepared;
    this.buffers = buffers;
  }

  get pipeline(): PipelineEntry {
    return this.#prepared.pipeline;
  }

  get workgroups(): RecordedDispatch["workgroups"] {
    return this.#prepared.workgroups;
  }

  get milliseconds(): number {
    return this.#prepared.milliseconds;
  }

  get repairs(): boolean {
    return this.#prepared.repairs;
  }

  get uniforms(): Allocation {
    return this.#prepared.uniforms;
  }

  get bindGroup(): GPUBindGroup {
    return (this.#bindGroup ??= this.#prepared.bindGroupOf(this.buffers));
  }
}

export class PreparedPlan {
  /** The operation's label, where profilers are to show it. */
  readonly label: string | undefined;
  /** The steps that depend on the weights alone; undefined where there are none. */
  readonly packing: Packing | undefined;
  /** Bytes of scratch memory. */
  readonly scratch: Scratch;
  /** Likewise, without what packing uses and writes. */
  readonly scratchOncePacked: Scratch;
  /** Where it runs in pieces, whose plans are prepared by themselves: nothing else of it is. */
  readonly pieces: SolverPlan["pieces"];
  readonly #dispatches: readonly PreparedDispatch[];
  readonly #packing: readonly PreparedDispatch[];
  readonly #oncePacked: readonly PreparedDispatch[];
  readonly #slowness: number;
  readonly #tryOut: TryOut;
  /** By whether they are of repairs, too. */
  readonly #trials = new Map<boolean, Trial | undefined>();

  constructor(
    device: GPUDevice,
    cache: PipelineCache,
    allocator: Allocator,
    given: SolverPlan,
    tryOut: TryOut,
    label?: string,
  ) {
    this.#tryOut = tryOut;
    const plan = given.pieces ? { ...given, dispatches: [] } : given;
    this.pieces = given.pieces;
    const packing = packingOf(plan);
    const packs = (dispatch: Dispatch): boolean => packing?.steps.includes(dispatch) ?? false;
    const isLeft = (name: string): boolean => !(name in (packing?.packed ?? {})) && !(name in (packing?.between ?? {}));
    const prepare = (step: Dispatch): PreparedDispatch =>
      new PreparedDispatch(device, cache, allocator, step, label ? `${step.kernel.name} ${label}` : step.kernel.name);
    // A plan may have the same dispatch several times, among others.
    const once = new Map([...new Set(plan.dispatches)].map((step) => [step, prepare(step)]));
    const all = plan.dispatches.flatMap((step) => {
      const prepared = once.get(step);
      return prepared ? [{ step, prepared }] : [];
    });
    this.label = label;
    this.#slowness = plan.slowness ?? 1;
    this.packing = packing;
    this.scratch = plan.scratchBytes;
    this.scratchOncePacked = Object.fromEntries(Object.entries(plan.scratchBytes).filter(([name]) => isLeft(name)));
    this.#dispatches = all.map(({ prepared }) => prepared);
    this.#packing = all.filter(({ step }) => packs(step)).map(({ prepared }) => prepared);
    this.#oncePacked = all.filter(({ step }) => !packs(step)).map(({ prepared }) => prepared);
  }

  /** Whether a kernel failed to compile or gave wrong results, or there was no room for uniforms: it must be planned anew. */
  get failed(): boolean {
    const failed = this.#dispatches.some(({ started, uniforms }) => started?.error ?? uniforms.error);
    return failed || [...this.#trials.values()].some((trial) => trial?.verdict === "failed");
  }

  /**
   * What its kernels must pass before their results are used, begun when it is first asked for; undefined where they have.
   *
   * @param repairs whether those of repairs are used, too
   */
  trialOf(repairs: boolean): Trial | undefined {
    const withThem = repairs && this.#dispatches.some((step) => step.repairs);
    if (!this.#trials.has(withThem)) this.#trials.set(withThem, this.#tryOut(withThem));
    return this.#trials.get(withThem);
  }

  /** Whether its parts are as long as they should be on a device of that speed. */
  suits({ longest, slowness }: Speed): boolean {
    if (slowness === this.#slowness) return true;
    const milliseconds = this.#dispatches.reduce((sum, dispatch) => sum + dispatch.milliseconds, 0);
    return milliseconds * Math.max(slowness, this.#slowness) <= longest;
  }

  bind(buffers: OperationBuffers): RecordedDispatch[] {
    return this.#dispatches.map((prepared) => prepared.bind(buffers));
  }

  /** The steps of {@link packing}. */
  bindPacking(buffers: OperationBuffers): RecordedDispatch[] {
    return this.#packing.map((prepared) => prepared.bind(buffers));
  }

  /** The other steps. */
  bindOncePacked(buffers: OperationBuffers): RecordedDispatch[] {
    return this.#oncePacked.map((prepared) => prepared.bind(buffers));
  }

  /** Forgets the bind groups, which buffers refer to. The plan can still be used. */
  forget(): void {
    for (const prepared of this.#dispatches) prepared.forget();
  }

  dispose(): void {
    for (const prepared of new Set(this.#dispatches)) prepared.dispose();
  }
}
