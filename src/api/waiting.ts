/** Calls that wait, with their options. */
import { requireWaitOptions, Wait, type WaitOptions } from "../backend/wait.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import type { Waits } from "../base/waits.js";

const WAIT_KEYS = optionKeys<WaitOptions>({ signal: 1, onProgress: 1 });

/**
 * What `run` resolves to. Rejects with the signal's reason as soon as that is aborted, and with what `onProgress` throws.
 *
 * @param run begins the work at once
 */
export function waitFor<Result>(
  waits: Waits,
  options: WaitOptions,
  run: (wait?: Wait) => Promise<Result>,
): Promise<Result> {
  requireOptions(options, WAIT_KEYS);
  const { signal, onProgress } = options;
  requireWaitOptions(options);
  return waits.on(signal || onProgress ? runWith(options, run) : run());
}

function runWith<Result>({ signal, onProgress }: WaitOptions, run: (wait: Wait) => Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    let listener = onProgress;
    const end = (): void => {
      listener = undefined;
      signal?.removeEventListener("abort", onAbort);
    };
    const fail = (reason: unknown): void => {
      end();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a signal or a listener gives
      reject(reason);
    };
    const wait = new Wait((progress) => {
      try {
        listener?.(progress);
      } catch (error) {
        fail(error);
      }
    });
    const onAbort = (): void => {
      fail(signal?.reason);
      wait.cancel(signal?.reason);
    };
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
    run(wait).then((result) => {
      wait.report(wait.total);
      end();
      resolve(result);
    }, fail);
  });
}
