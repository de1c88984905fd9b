/** How workers of a data-parallel run exchange what they computed. */
import { ArgumentError, require, show } from "../../base/errors.js";
import { requireInteger } from "../../problem/geometry.js";

/**
 * A worker's connection to the others: an all-gather. The caller implements it over whatever is there: messages between processes or
 * pages, a server. {@link exchangesBetween} is that of engines in one process.
 */
export interface GradientExchange {
  /** Which worker this is: 0 to `workers - 1`. */
  readonly rank: number;
  readonly workers: number;
  /**
   * Hands in this worker's values, and resolves with those of all workers in the order of their ranks, its own among them, as many from
   * each. Called once a step, by every worker. Where it rejects, the run ends: others may have gone on.
   *
   * @param values the exchange's own from then on
   */
  gather(values: Float32Array<ArrayBuffer>): Promise<readonly Float32Array[]>;
}

/** Throws for what is no exchange. */
export function requireExchange(exchange: GradientExchange): void {
  require(typeof (exchange as Partial<GradientExchange> | undefined)?.gather === "function", () => {
    return `exchange is ${show(exchange)}; expected { rank, workers, gather }`;
  });
  const { rank, workers } = exchange;
  requireInteger("exchange.workers", workers, 1);
  require(Number.isSafeInteger(rank) && 0 <= rank && rank < workers, () => {
    return `exchange.rank is ${show(rank)}; expected 0 to ${String(workers - 1)}, of ${String(workers)} workers`;
  });
}

interface Round {
  readonly values: (Float32Array | undefined)[];
  readonly all: Promise<readonly Float32Array[]>;
  readonly resolve: (all: readonly Float32Array[]) => void;
}

function newRound(workers: number): Round {
  let resolve: Round["resolve"] = () => undefined;
  const all = new Promise<readonly Float32Array[]>((settle) => (resolve = settle));
  return { values: new Array<Float32Array | undefined>(workers).fill(undefined), all, resolve };
}

/** Exchanges for engines in one process, one for each worker. */
export function exchangesBetween(workers: number): GradientExchange[] {
  requireInteger("workers", workers, 1);
  let round = newRound(workers);
  return Array.from({ length: workers }, (_, rank) => ({
    rank,
    workers,
    async gather(values) {
      const own = round;
      if (own.values[rank])
        throw new ArgumentError(`worker ${String(rank)} hands in twice; expected each worker once a step`);
      own.values[rank] = values;
      const there = own.values.flatMap((one) => one ?? []);
      if (there.length === workers) {
        round = newRound(workers);
        own.resolve(there);
      }
      return await own.all;
    },
  }));
}

/**
 * The mean of what workers handed in, element by element: summed in float32 in the order of ranks, so that all of them, and a single
 * engine that adds the same parts in that order, have the same bits.
 */
export function meanOf(all: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const sum = Float32Array.from(all[0]);
  for (const values of all.slice(1)) for (let i = 0; i < sum.length; i++) sum[i] += values[i];
  const part = Math.fround(1 / all.length);
  return sum.map((value) => value * part);
}
