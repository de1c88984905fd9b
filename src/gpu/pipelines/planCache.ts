/** Prepared plans, kept by their operations' keys. */
import type { SolverPlan } from "../../planning/solver.js";
import type { Speed } from "../../planning/parts.js";
import type { Allocator } from "../device/allocation.js";
import type { DeviceLife } from "../device/deviceLife.js";
import type { PipelineCache } from "./pipelineCache.js";
import { PreparedPlan, type TryOut } from "./prepared.js";

/** The most plans that are kept. The oldest leaves first. */
const PLANS_KEPT = 2048;

export class PlanCache {
  readonly #device: GPUDevice;
  readonly #pipelines: PipelineCache;
  readonly #allocator: Allocator;
  readonly #life: DeviceLife;
  readonly #speed: Speed;
  readonly #plans = new Map<string, PreparedPlan>();

  constructor(device: GPUDevice, pipelines: PipelineCache, allocator: Allocator, life: DeviceLife, speed: Speed) {
    this.#device = device;
    this.#pipelines = pipelines;
    this.#allocator = allocator;
    this.#life = life;
    this.#speed = speed;
  }

  /**
   * The plan of that key. `makePlan` makes it where it is new, where one of its kernels or uniforms failed, or where it is long
   * and the device turned out to be of another speed.
   *
   * @param tryOut how the trial of a new plan begins
   * @param label returns the operation's label, where profilers are to show it
   * @throws whatever `makePlan` throws; DeviceError where the device does.
   */
  get(
    key: string,
    makePlan: () => SolverPlan,
    tryOut: (plan: SolverPlan) => TryOut,
    label: (() => string) | undefined,
  ): PreparedPlan {
    return this.#life.attempt(() => this.#find(key, makePlan, tryOut, label));
  }

  #find(
    key: string,
    makePlan: () => SolverPlan,
    tryOut: (plan: SolverPlan) => TryOut,
    label: (() => string) | undefined,
  ): PreparedPlan {
    const known = this.#plans.get(key);
    if (known && !known.failed && known.suits(this.#speed)) return known;
    known?.forget();
    // A plan that failed is not disposed of: its packing may be recorded and not yet submitted.
    const plan = makePlan();
    const prepared = new PreparedPlan(this.#device, this.#pipelines, this.#allocator, plan, tryOut(plan), label?.());
    if (this.#plans.size >= PLANS_KEPT) this.#forgetOldest();
    this.#plans.set(key, prepared);
    return prepared;
  }

  #forgetOldest(): void {
    for (const [key, plan] of this.#plans) {
      this.#plans.delete(key);
      // Recorded work and sequences may still use its uniforms.
      plan.forget();
      return;
    }
  }

  dispose(): void {
    for (const prepared of this.#plans.values()) prepared.dispose();
    this.#plans.clear();
  }
}
