/** What trials have found, and stores remember: which kernels work on which adapter, with which browser. */
import type { KernelFault, KernelVerdicts, VerdictData } from "../backend/kernelFault.js";

/** Losses of a device during trials of the same kernels from which on they are taken to be the cause. */
const LOSSES = 2;

export class Verdicts implements KernelVerdicts {
  readonly warn: (message: string) => void;
  onChange: () => void = () => undefined;
  readonly #passed = new Set<string>();
  readonly #faults = new Map<string, KernelFault>();
  readonly #losses = new Map<string, number>();
  readonly #pending = new Set<Promise<void>>();

  /** @param warn told of what is set aside */
  constructor(warn: (message: string) => void) {
    this.warn = warn;
  }

  get faults(): readonly KernelFault[] {
    return [...this.#faults.values()];
  }

  hasPassed(key: string): boolean {
    return this.#passed.has(key);
  }

  faultOf(key: string): KernelFault | undefined {
    return this.#faults.get(key);
  }

  pass(keys: readonly string[]): void {
    for (const key of keys) this.#passed.add(key);
    this.onChange();
  }

  setAside(key: string, fault: KernelFault): void {
    this.#faults.set(key, fault);
    this.warn(
      `kernels of ${fault.solver} are set aside on this device (${fault.reason}): ${fault.message}. engine.kernelFaults has a report`,
    );
    this.onChange();
  }

  /** A trial has begun, on whichever device. */
  begin(settled: Promise<void>): void {
    this.#pending.add(settled);
    void settled.then(() => this.#pending.delete(settled));
  }

  /** Resolves once all trials have ended that have begun until now. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Whether a device was lost during a trial: from then on there is one at a time, so that the next loss tells whose it is. */
  get hasLosses(): boolean {
    return this.#losses.size > 0;
  }

  /** A device was lost during a trial. Returns whether that is the kernels' doing, as far as can be told. */
  isCauseOfLoss(key: string): boolean {
    const losses = (this.#losses.get(key) ?? 0) + 1;
    this.#losses.set(key, losses);
    return losses >= LOSSES;
  }

  /** Forgets kernels that did not compile: the cause may have passed. */
  relent(): void {
    for (const [key, { reason }] of this.#faults) if (reason === "did not compile") this.#faults.delete(key);
  }

  export(): VerdictData {
    return { passed: [...this.#passed], faults: [...this.#faults] };
  }

  import({ passed, faults }: VerdictData): void {
    for (const key of passed) this.#passed.add(key);
    for (const [key, fault] of faults) this.#faults.set(key, fault);
  }
}
