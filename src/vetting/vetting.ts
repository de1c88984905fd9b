/**
 * Vetting: kernels that are new on an adapter first compute a small problem of integers, whose result is compared with the
 * reference. Work that needs them waits meanwhile, as it does while they compile. Those that are wrong, do not compile, never end or
 * lose the device are set aside, and the next solver serves.
 */
import type { KernelFault } from "../backend/kernelFault.js";
import { DeviceError, textOf } from "../base/errors.js";
import type { Trial, TrialGround, TriedOperation, Vetting } from "../gpu/pipelines/trial.js";
import { type SolverPlan, withoutRepairs } from "../planning/solver.js";
import { shortKey, textKeys } from "./keys.js";
import { type Failure, failureOf, type Outcome, type TrialLimits } from "./outcome.js";
import { lossOf, tryOut } from "./tryOut.js";
import type { Verdicts } from "./verdicts.js";

/** How long a device may take to say that it is lost, after a failure: on a busy machine, seconds. */
const LOSS_MILLISECONDS = 30_000;

class PendingTrial implements Trial {
  verdict: Trial["verdict"] = "pending";
  error: DeviceError | undefined;
  readonly settled: Promise<void>;

  constructor(outcome: Promise<Outcome>) {
    this.settled = outcome.then((found) => {
      if (typeof found === "object") this.error = found.error;
      this.verdict = this.error ? "failed" : "passed";
    });
  }
}

export class KernelVetting implements Vetting {
  readonly #verdicts: Verdicts;
  readonly #platform: string;
  readonly #limits: TrialLimits;
  /** By plan, as its texts tell it. */
  readonly #trials = new Map<string, Trial>();
  /** Ends with the trials of devices that were lost before: they may blame kernels for it. */
  readonly #earlier: Promise<unknown>;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param platform the adapter, the browser and its version, in words: what holds for one need not hold for another
   * @param limits read when a trial begins
   */
  constructor(verdicts: Verdicts, platform: string, limits: TrialLimits = {}) {
    this.#verdicts = verdicts;
    this.#platform = platform;
    this.#limits = limits;
    this.#earlier = verdicts.settled();
  }

  get verdicts(): Verdicts {
    return this.#verdicts;
  }

  refusal(plan: SolverPlan): string | undefined {
    if (this.#verdicts.faults.length === 0) return undefined;
    // It may have failed without its repairs, which are tried once they are needed.
    const fault = [plan, withoutRepairs(plan)].map((one) => this.#faultOf(this.#keysOf(one))).find((found) => found);
    return fault && `it is set aside on this device (${fault.reason}): ${fault.message}`;
  }

  trialOf(operation: TriedOperation, plan: SolverPlan, ground: TrialGround): Trial | undefined {
    const keys = this.#keysOf(plan);
    if (keys.every((key) => this.#verdicts.hasPassed(key))) return undefined;
    const key = planKey(keys);
    const known = this.#trials.get(key);
    if (known?.verdict === "pending") return known;
    const outcome = this.#inTurn(keys, () => this.#decide(operation, plan, ground, keys));
    this.#last = outcome;
    const trial = new PendingTrial(outcome);
    this.#verdicts.begin(trial.settled);
    this.#trials.set(key, trial);
    void trial.settled.then(() => this.#trials.delete(key));
    return trial;
  }

  relent(): void {
    this.#verdicts.relent();
  }

  #faultOf(keys: readonly string[]): KernelFault | undefined {
    return [planKey(keys), ...keys].map((key) => this.#verdicts.faultOf(key)).find((fault) => fault);
  }

  #keysOf(plan: SolverPlan): string[] {
    return textKeys(plan).map((text) => this.#keyOf(text));
  }

  #keyOf(text: string): string {
    return shortKey(`${this.#platform} ${text}`);
  }

  /** Decides at once; once a device was lost, after the trials before, which may have blamed the same kernels. */
  async #inTurn(keys: readonly string[], decide: () => Promise<Outcome>): Promise<Outcome> {
    const last = this.#last;
    await this.#earlier;
    if (this.#verdicts.hasLosses) await last;
    const fault = this.#faultOf(keys);
    return fault ? failureOf(fault) : await decide();
  }

  async #decide(
    operation: TriedOperation,
    plan: SolverPlan,
    ground: TrialGround,
    keys: readonly string[],
  ): Promise<Outcome> {
    const outcome = await this.#try(operation, plan, ground, keys);
    if (outcome === "passed") this.#verdicts.pass(keys);
    if (typeof outcome === "object") this.#setAside(outcome, keys);
    return outcome;
  }

  #setAside({ fault, text }: Failure, keys: readonly string[]): void {
    this.#verdicts.setAside(text === undefined ? planKey(keys) : this.#keyOf(text), fault);
  }

  /** Never rejects. */
  async #try(
    operation: TriedOperation,
    plan: SolverPlan,
    ground: TrialGround,
    keys: readonly string[],
  ): Promise<Outcome> {
    const platform = this.#platform;
    try {
      return await tryOut(operation, plan, ground, { platform, ...this.#limits });
    } catch (error) {
      // There was no memory for it, say. All else is a mistake of ours.
      if (error instanceof DeviceError)
        this.#suspect(ground.device, keys, (loss) => lossOf(operation, plan, platform, loss));
      else this.#verdicts.warn(`kernels of ${plan.solver} were not tried: ${textOf(error)}`);
      return "undecided";
    }
  }

  /**
   * The device failed: where it says soon, or has said, that it is lost, and nobody destroyed it, that counts as a loss during the
   * trial.
   */
  #suspect({ lost }: GPUDevice, keys: readonly string[], blame: (loss: string) => Promise<Failure>): void {
    const failed = performance.now();
    // In Node the device's promise is never collected while the device lives: it must not refer to an engine.
    const weak = new WeakRef(this);
    void lost.then(({ reason, message }) => {
      const vetting = weak.deref();
      if (!vetting || reason === "destroyed" || performance.now() - failed > LOSS_MILLISECONDS) return;
      const verdicts = vetting.#verdicts;
      if (verdicts.isCauseOfLoss(planKey(keys)))
        verdicts.begin(blame(message).then((failure) => vetting.#setAside(failure, keys)));
    });
  }
}

const planKey = (keys: readonly string[]): string => shortKey([...keys].sort().join());
