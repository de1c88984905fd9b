/** How commands end: exit statuses, and Ctrl-C. */

/** What the process exits with; 130 is a shell's number for Ctrl-C. */
export const EXIT = { fine: 0, wrongResult: 1, couldNotRun: 2, interrupted: 130 } as const;

/** Ctrl-C was pressed. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** Runs `work` with a signal that Ctrl-C aborts. */
export async function untilInterrupted<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const onInterrupt = (): void => controller.abort(new Interrupted());
  process.once("SIGINT", onInterrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}
