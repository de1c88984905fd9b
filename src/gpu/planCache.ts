/** Plans made ready for the device, kept by what they are plans of. */
import type { SolverPlan } from "../planning/solver.js";
import type { Allocator } from "./allocation.js";
import type { DeviceLife } from "./deviceLife.js";
import type { PipelineCache } from "./pipelineCache.js";
import { PreparedPlan } from "./prepared.js";

/** Prepared plans kept, the least recently made leaving first. */
const PLANS_KEPT = 2048;

export class PlanCache {
  readonly #device: GPUDevice;
  readonly #pipelines: PipelineCache;
  readonly #allocator: Allocator;
  readonly #life: DeviceLife;
  readonly #plans = new Map<string, PreparedPlan>();

  constructor(device: GPUDevice, pipelines: PipelineCache, allocator: Allocator, life: DeviceLife) {
    this.#device = device;
    this.#pipelines = pipelines;
    this.#allocator = allocator;
    this.#life = life;
  }

  /**
   * The plan of that key; made by `makePlan` if it is new, or if what it needs failed: a kernel, its uniforms.
   *
   * @param label gives the operation's, where profilers are to show it
   * @throws whatever `makePlan` throws; DeviceError where the device does.
   */
  get(key: string, makePlan: () => SolverPlan, label: (() => string) | undefined): PreparedPlan {
    return this.#life.attempt(() => this.#find(key, makePlan, label));
  }

  #find(key: string, makePlan: () => SolverPlan, label: (() => string) | undefined): PreparedPlan {
    const known = this.#plans.get(key);
    if (known && !known.failed) return known;
    // One whose kernel failed is left to whoever holds it: its packing may be recorded, and not submitted yet.
    const prepared = new PreparedPlan(this.#device, this.#pipelines, this.#allocator, makePlan(), label?.());
    if (this.#plans.size >= PLANS_KEPT) this.#forgetOldest();
    this.#plans.set(key, prepared);
    return prepared;
  }

  #forgetOldest(): void {
    for (const [key, plan] of this.#plans) {
      this.#plans.delete(key);
      // Recorded work, and sequences, may still use its uniforms, and hold them.
      plan.forget();
      return;
    }
  }

  dispose(): void {
    for (const prepared of this.#plans.values()) prepared.dispose();
    this.#plans.clear();
  }
}
