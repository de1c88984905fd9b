/** A backend that gets over the loss of its device. It has what forward passes need; {@link RecoveringBackend} adds the rest. */
import {
  type AdapterDescription,
  type BackendMemory,
  type CoreBackend,
  type DeviceLoss,
  memoryOf,
  type RoleStorages,
  type TensorStorage,
} from "../backend/backend.js";
import type { KernelVerdicts } from "../backend/kernelFault.js";
import type { Wait } from "../backend/wait.js";
import { DeviceError, DeviceLostError, textOf } from "../base/errors.js";
import type { GPUBufferBinding, GPUDevice } from "../base/webgpuTypes.js";
import { labels } from "../gpu/labels.js";
import type { Capabilities } from "../planning/capabilities.js";
import type { SolverChoice } from "../planning/choice.js";
import type { DType, StoredValues } from "../problem/dtype.js";
import { type ConvOperation, resultRoles, shapeOfRole } from "../problem/operation.js";
import type { Selection } from "../solvers/choose.js";
import { onDevice, type Recipe, type RunStep } from "./recipe.js";
import { Recoverer } from "./recoverer.js";
import { bytesOf, lostAmong, RecoverableStorage } from "./storage.js";

export class RecoveringCoreBackend<Own extends CoreBackend = CoreBackend> implements CoreBackend<RecoverableStorage> {
  protected readonly recoverer: Recoverer<Own>;
  /** The sequence that is being recorded; undefined while none is. */
  protected recipe: Recipe | undefined;

  /** @param renew makes a backend on a new device */
  constructor(inner: Own, renew: () => Promise<Own>) {
    this.recoverer = new Recoverer(inner, renew);
  }

  get adapter(): AdapterDescription {
    return this.recoverer.inner.adapter;
  }

  get device(): GPUDevice | undefined {
    return this.recoverer.inner.device;
  }

  get capabilities(): Capabilities | undefined {
    return this.recoverer.inner.capabilities;
  }

  get verdicts(): KernelVerdicts | undefined {
    return this.recoverer.inner.verdicts;
  }

  get lost(): Promise<DeviceLoss> {
    return this.recoverer.lost;
  }

  upload(values: StoredValues, shape: readonly number[], dtype: DType, keep = false): RecoverableStorage {
    const storage = this.track(new RecoverableStorage({ shape, dtype, what: () => "uploaded" }));
    storage.keeps = keep;
    if (keep) storage.copy = bytesOf(values);
    this.start(
      [storage],
      () => this.#upload(storage, values),
      () => {
        // The array may be the caller's.
        const own = values.slice();
        return () => this.#upload(storage, own);
      },
    );
    return storage;
  }

  /**
   * Calls `now`, or, where there is no device, what `later` gives, once there is one. Where `now` throws, nothing was made;
   * what is thrown later is the storages' error.
   */
  protected start(storages: readonly RecoverableStorage[], now: () => void, later: () => () => void): void {
    const { recoverer } = this;
    if (recoverer.hasDevice) {
      try {
        now();
        return;
      } catch (error) {
        const isLoss = error instanceof DeviceLostError && !this.recipe;
        if (!isLoss) for (const storage of storages) recoverer.storages.delete(storage);
        if (!isLoss) throw error;
        // The device has not said so yet.
        recoverer.loseNow(error, recoverer.generation);
      }
    }
    const run = later();
    const isDeferred = recoverer.defer(() => {
      try {
        run();
      } catch (error) {
        const cause = error instanceof Error ? error : new DeviceError(textOf(error));
        for (const storage of storages) storage.error = cause;
        if (storages.length === 0) recoverer.report(cause);
      }
    });
    if (isDeferred) return;
    for (const storage of storages) recoverer.storages.delete(storage);
    recoverer.now();
  }

  #upload(storage: RecoverableStorage, values: StoredValues): void {
    // It came back with its copy.
    if (storage.released || storage.inner) return;
    const { shape, dtype } = storage.description;
    storage.inner = this.recoverer.now().upload(values, shape, dtype);
    storage.error = undefined;
  }

  run(
    operation: ConvOperation,
    operands: RoleStorages<RecoverableStorage>,
    choice: SolverChoice | undefined,
    key?: string,
  ): RecoverableStorage[] {
    const { dtype } = operation;
    const results = resultRoles(operation).map((role) => {
      const what = (): string => `${role} of ${labels.ofOperation(operation)}`;
      return this.track(new RecoverableStorage({ shape: shapeOfRole(operation, role), dtype, what }));
    });
    this.record({ operands, results, run: (inner, own) => inner.run(operation, own, choice, key) });
    return results;
  }

  /**
   * Records a step, now or once there is a device. What it changes in place keeps its values where an operand is lost; where it has
   * no result that could say so, this throws, or the next wait for all work.
   */
  protected record(step: RunStep): void {
    const lost = lostAmong(Object.values(step.operands));
    if (lost && step.results.length === 0 && this.recoverer.hasDevice) throw lost;
    const run = (): void => this.#run(step);
    this.start(step.results, run, () => run);
    this.recipe?.run(step);
  }

  #run({ operands, results, updates = [], run }: RunStep): void {
    const lost = lostAmong(Object.values(operands));
    if (lost) {
      if (this.recipe || results.length === 0) throw lost;
      for (const storage of results) storage.error = lost;
      return;
    }
    const inner = this.recoverer.now();
    const made = run(inner, onDevice(operands));
    for (const [i, storage] of results.entries()) {
      // Disposed of while it waited for a device.
      if (storage.released) inner.release(made[i]);
      else storage.inner = made[i];
    }
    // What a sequence changes, its runs do.
    if (!this.recipe) for (const storage of updates) storage.version++;
  }

  async read(storage: RecoverableStorage, wait?: Wait): Promise<Float32Array<ArrayBuffer>> {
    return await this.recoverer.inOrder(async () => {
      const { copy, error } = storage;
      // There will be no device any more: the copy is what is left.
      if (copy && !error && !this.recoverer.hasDevice) return storage.valuesIn(copy);
      const inner = storage.withValues();
      const kept = storage.currentCopy;
      try {
        return await this.recoverer.on((backend) => backend.read(inner, wait));
      } catch (error) {
        // Lost, or without room on the device.
        if (!kept || !(error instanceof DeviceError)) throw error;
        return storage.valuesIn(kept);
      }
    });
  }

  /** Of a part the whole is copied. */
  async snapshot(given: readonly RecoverableStorage[]): Promise<void> {
    await this.recoverer.inOrder(async () => {
      const storages = [...new Set(given.map(memoryOf))];
      const inners = storages.map((storage) => storage.withValues());
      const before = storages.map(({ version, copy }) => ({ version, copy }));
      // All are recorded before anything is awaited: the copies are of one moment.
      const reads = inners.map((inner) => this.recoverer.on((backend) => bytesFrom(backend, inner)));
      const copies = await Promise.all(reads);
      for (const [i, storage] of storages.entries()) {
        const { version, copy } = before[i];
        // What the host has written since to a tensor that keeps that is newer.
        const isOlder = storage.copy !== copy && !storage.isSnapshot;
        if (storage.released || isOlder) continue;
        storage.copy = copies[i];
        storage.isSnapshot = true;
        if (storage.copiedVersion !== undefined) storage.copiedVersion = version;
      }
    });
  }

  async write(storage: RecoverableStorage, values: StoredValues): Promise<void> {
    await this.recoverer.inOrder(async () => {
      storage.noteWritten(values);
      try {
        await this.#write(storage, values);
      } catch (error) {
        if (!storage.keeps || !(error instanceof DeviceLostError)) throw error;
        // The copy comes back in the write's stead.
        await this.recoverer.settled();
        if (!this.recoverer.hasDevice || storage.error) throw storage.error ?? error;
      }
    });
  }

  async #write(storage: RecoverableStorage, values: StoredValues): Promise<void> {
    const { inner } = storage;
    // What is beside a part would still be lost.
    if (!inner && storage.whole) storage.withValues();
    if (!inner) this.#upload(storage, values);
    // What is called next reads these values. Should the device be lost before they arrive, that sets the error again.
    storage.error = undefined;
    if (inner) await this.recoverer.on((backend) => backend.write(inner, values));
  }

  binding(storage: RecoverableStorage): Required<GPUBufferBinding> {
    const inner: CoreBackend = this.recoverer.now();
    if (!inner.binding) throw new DeviceError("binding needs a WebGPU device");
    const binding = inner.binding(storage.withValues());
    storage.copiedVersion = undefined;
    return binding;
  }

  release(storage: RecoverableStorage): void {
    if (this.recoverer.defer(() => this.#release(storage))) return;
    this.#release(storage);
    this.recipe?.release(storage);
  }

  #release(storage: RecoverableStorage): void {
    storage.released = true;
    storage.copy = undefined;
    this.recoverer.storages.delete(storage);
    const { inner } = storage;
    storage.inner = undefined;
    if (inner) this.recoverer.inner.release(inner);
  }

  select(operation: ConvOperation, choice: SolverChoice | undefined): Selection {
    return this.recoverer.inner.select(operation, choice);
  }

  async submit(wait?: Wait): Promise<void> {
    await this.recoverer.inOrder(() => this.recoverer.on((inner) => inner.submit(wait)));
  }

  async finish(wait?: Wait): Promise<void> {
    await this.recoverer.inOrder(() => this.recoverer.finish(wait));
  }

  memory(): BackendMemory {
    return this.recoverer.inner.memory();
  }

  dispose(): void {
    this.recoverer.dispose();
  }

  protected track(storage: RecoverableStorage): RecoverableStorage {
    this.recoverer.storages.add(storage);
    return storage;
  }
}

function bytesFrom(backend: CoreBackend, storage: TensorStorage): Promise<ArrayBuffer> {
  if (!backend.bytes) throw new DeviceError("a snapshot needs a WebGPU device");
  return backend.bytes(storage);
}
