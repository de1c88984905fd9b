/** Which faults there were, and which of them explain an error. */
import { CancelError, DeviceError, DeviceLostError } from "webgpu-conv/node";

/** Faults so far, of each kind. */
interface Moment {
  readonly losses: number;
  readonly shortages: number;
  readonly cancels: number;
}

/** What a fault may cost, and the faults when its values were made: those that came since may have cost them. */
export interface Mortal extends Moment {
  /** Whether there is a copy of the values on the host. */
  kept: boolean;
}

export class Faults {
  /** Odd from a loss until the engine knows of it. */
  losses = 0;
  /** Odd while memory is short. */
  shortages = 0;
  /** Odd while something may be called off. */
  cancels = 0;

  now(): Moment {
    const { losses, shortages, cancels } = this;
    return { losses, shortages, cancels };
  }

  /** Of a result that is computed now: it can be missing for whatever its operands can be missing for. */
  of(operands: readonly Mortal[]): Moment {
    const lossesOf = ({ kept, losses }: Mortal): number => (kept ? this.losses : losses);
    const losses = Math.min(this.losses, ...operands.map(lossesOf));
    const shortages = Math.min(this.shortages, ...operands.map((operand) => operand.shortages));
    return { losses, shortages, cancels: this.cancels };
  }

  /**
   * What became of values, in words.
   *
   * @param items whose fault it may be
   * @throws Error where no fault explains it.
   */
  explain(error: unknown, items: readonly Mortal[]): string {
    const explained = items.map((item) => this.#explain(error, item)).find((words) => words !== undefined);
    if (explained === undefined) throw new Error(`no fault explains it: ${String(error)}`, { cause: error });
    return explained;
  }

  #explain(error: unknown, { kept, losses, shortages, cancels }: Mortal): string | undefined {
    const isShort = shortages % 2 === 1 || this.shortages > shortages;
    if (error instanceof DeviceError && isShort && error.message.includes("out of memory"))
      return "results lost for want of memory";
    const isLosing = losses % 2 === 1 || this.losses > losses;
    if (error instanceof DeviceLostError && !kept && isLosing) return "results lost with a device";
    if (error instanceof CancelError && this.cancels > cancels) return "results called off";
    return undefined;
  }
}
