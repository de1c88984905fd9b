/** Waits that end. */

/** Time is counted in ticks: a machine that sleeps meanwhile takes one. */
const TICKS = 30;

/** The result; undefined where there is none within so many milliseconds of the last progress. */
export async function within<Result extends object>(
  milliseconds: number,
  result: Promise<Result>,
  progress: () => number,
): Promise<Result | undefined> {
  let last = progress();
  for (let tick = 0; tick < TICKS; tick++) {
    const now = progress();
    if (now !== last) tick = 0;
    last = now;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pause = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), milliseconds / TICKS);
    });
    const outcome = await Promise.race([result, pause]).finally(() => clearTimeout(timer));
    if (outcome) return outcome;
  }
  return undefined;
}
