/**
 * Long work: started by the visitor, with progress, and cancelled by the visitor, by leaving, by losing the device, and
 * while the page is hidden: what nobody looks at costs the visitor's battery, and times taken then are not worth much.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { useEngine } from "./engineContext.js";
import { wasLost } from "./wasLost.js";

export interface TaskState {
  readonly running: boolean;
  /** From 0 to 1. */
  readonly done: number;
  /** What it is at, in words. */
  readonly note: string;
  /** Why it failed; undefined where it did not. Cancelling is no failure. */
  readonly error: string | undefined;
}

export interface TaskControls {
  /** Cancelled when it goes off: `signal.throwIfAborted()` between slices of work. */
  readonly signal: AbortSignal;
  report(this: void, done: number, note: string): void;
  /** Lets the page draw and listen; call it between slices. Rejects once the task is cancelled. */
  pause(this: void): Promise<void>;
}

export interface Task {
  readonly state: TaskState;
  /** Starts the work, in place of what still runs. */
  start(this: void, work: (controls: TaskControls) => Promise<void>): void;
  cancel(this: void): void;
}

const IDLE: TaskState = { running: false, done: 0, note: "", error: undefined };

export function useTask(): Task {
  const { engine, active } = useEngine();
  const [state, setState] = useState<TaskState>(IDLE);
  const running = useRef<AbortController | null>(null);
  const cancel = (): void => {
    running.current?.abort();
    // It ends with the slice that it is at.
    setState((before) => (before.running ? { ...before, note: "Stopping" } : before));
  };
  useEffect(() => cancel, [engine]);
  useEffect(() => {
    if (!active) cancel();
  }, [active]);

  const start = (work: (controls: TaskControls) => Promise<void>): void => {
    cancel();
    const controller = new AbortController();
    const { signal } = controller;
    running.current = controller;
    setState({ ...IDLE, running: true });
    const show = (next: TaskState): void => {
      if (running.current === controller) setState(next);
    };
    const controls: TaskControls = {
      signal,
      report: (done, note) => show({ running: !signal.aborted, done, note, error: undefined }),
      pause: async () => {
        await new Promise((resolve) => setTimeout(resolve));
        signal.throwIfAborted();
      },
    };
    void work(controls).then(
      () => show(IDLE),
      async (error: unknown) => {
        const known = signal.aborted || (await wasLost(engine));
        show({ ...IDLE, error: known ? undefined : describeError(error) });
      },
    );
  };
  return { state, start, cancel };
}

export const describeError = (error: unknown): string => (error instanceof Error ? error.message : String(error));
