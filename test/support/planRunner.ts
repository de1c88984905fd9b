/**
 * Runs one plan on a device, below the engine: plans that an engine would not choose here (another solver's
 * fused bias, those meant for another kind of device) and kernels that are broken on purpose.
 */
import { decode, type DType, encode } from "../../src/problem/dtype.js";
import { product } from "../../src/problem/geometry.js";
import { BufferPool, type PooledBuffer } from "../../src/gpu/device/bufferPool.js";
import { PipelineCache } from "../../src/gpu/pipelines/pipelineCache.js";
import { type OperationBuffers, PreparedPlan } from "../../src/gpu/pipelines/prepared.js";
import { ReadbackRing } from "../../src/gpu/device/readback.js";
import { type GpuStorage, makeStorage } from "../../src/gpu/device/storage.js";
import { Pace } from "../../src/gpu/recording/pace.js";
import { Recorder } from "../../src/gpu/recording/recorder.js";
import {
  type ConvOperation,
  operandRoles,
  resultRoles,
  shapeOfRole,
  type TensorRole,
} from "../../src/problem/operation.js";
import type { ScratchName, SolverPlan } from "../../src/planning/solver.js";
import type { RoleValues } from "./operations.js";

export class PlanRunner {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #readback: ReadbackRing;
  readonly #unused: PooledBuffer;
  readonly recorder: Recorder;
  readonly pipelines: PipelineCache;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#pool = new BufferPool(device, 2 ** 26);
    this.#readback = new ReadbackRing(this.#pool.allocator);
    this.#unused = this.#pool.acquire(256);
    this.recorder = new Recorder(device, this.#pool, new Pace(device, Infinity), () => undefined, false);
    this.pipelines = new PipelineCache(device);
  }

  /** Runs the plan on these operands; the results come in the order of `resultRoles`. */
  async run(operation: ConvOperation, plan: SolverPlan, values: RoleValues): Promise<Float32Array[]> {
    const operands = operandRoles(operation).map((role) => [role, this.upload(values[role], operation.dtype)] as const);
    const results = this.record(operation, plan, operands, resultRoles(operation));
    for (const [, storage] of operands) this.recorder.memory.release(storage.pooled);
    return await Promise.all(results.map((storage) => this.take(storage)));
  }

  /** Records a plan on storages that exist; makes those of its results. */
  record(
    operation: ConvOperation,
    plan: SolverPlan,
    operands: readonly (readonly [TensorRole, GpuStorage])[],
    results: readonly TensorRole[],
  ): GpuStorage[] {
    const prepared = new PreparedPlan(this.#device, this.pipelines, this.#pool.allocator, plan, () => undefined);
    const buffers: OperationBuffers = { unused: this.#unused };
    const scratch: PooledBuffer[] = [];
    for (const [name, bytes] of Object.entries(plan.scratchBytes) as [ScratchName, number][]) {
      const { pooled } = this.#poisonedValues(bytes / 4, "float32");
      buffers[name] = pooled;
      scratch.push(pooled);
    }
    for (const [role, storage] of operands) buffers[role] = storage.pooled;
    const writes = results.map((role) => {
      const storage = this.#poisonedValues(product(shapeOfRole(operation, role)), operation.dtype);
      buffers[role] = storage.pooled;
      return storage;
    });
    this.recorder.record({ dispatches: prepared.bind(buffers), reads: operands.map(([, storage]) => storage), writes });
    for (const pooled of scratch) this.recorder.memory.release(pooled);
    return writes;
  }

  upload(values: Float32Array<ArrayBuffer>, dtype: DType = "float32"): GpuStorage {
    const stored = encode(values, dtype);
    const pooled = this.#pool.acquire(stored.byteLength);
    this.#pool.write(pooled, stored);
    return makeStorage(pooled, dtype, [values.length]);
  }

  /** Reads a storage back and gives it up. Rejects where what should have computed it failed. */
  async take(storage: GpuStorage): Promise<Float32Array> {
    const staging = this.#readback.acquire(storage.bytes);
    const outcome = this.recorder.copy(storage, staging);
    this.recorder.memory.release(storage.pooled);
    await this.recorder.submit();
    const error = await outcome;
    if (error) throw error;
    return decode(await this.#readback.take(staging, storage.bytes), product(storage.shape), storage.dtype);
  }

  /** Bytes of storages that were not given up. */
  get liveBytes(): number {
    return this.#pool.liveBytes - this.#unused.bytes;
  }

  dispose(): void {
    this.#readback.dispose();
    this.#pool.dispose();
  }

  #poisonedValues(count: number, dtype: DType): GpuStorage {
    return this.upload(new Float32Array(count).fill(NaN), dtype);
  }
}
