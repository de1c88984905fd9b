/** The page's engine, from its making to its loss. */
import { useEffect, useState } from "preact/hooks";
import type { Engine } from "webgpu-conv";
import { describeError } from "./useTask.js";

export type Backend = "webgpu" | "cpu";

/** What there is none of: the library's own code, for want of a connection, or a device to run on. */
export type Missing = "code" | "device";

export type EngineState =
  | { readonly status: "starting" }
  | { readonly status: "missing"; readonly what: Missing; readonly reason: string }
  | { readonly status: "ready"; readonly engine: Engine }
  | { readonly status: "lost"; readonly engine: Engine; readonly reason: string };

export interface EngineLifecycle {
  readonly state: EngineState;
  /** Grows with each engine: what was made with another cannot be used. */
  readonly generation: number;
  /** Makes another engine, on a device of its own. */
  restart(this: void): void;
}

export function useEngineLifecycle(backend: Backend): EngineLifecycle {
  const [state, setState] = useState<EngineState>({ status: "starting" });
  const [generation, setGeneration] = useState(0);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    setState({ status: "starting" });
    setGeneration((previous) => previous + 1);
    return holdEngine(backend, setState);
  }, [backend, attempt]);
  return { state, generation, restart: () => setAttempt((previous) => previous + 1) };
}

/** Makes an engine and reports what becomes of it, until the returned function gives it back. */
function holdEngine(backend: Backend, report: (state: EngineState) => void): () => void {
  const released = new AbortController();
  const isHeld = (): boolean => !released.signal.aborted;
  let what: Missing = "code";
  const start = async (): Promise<void> => {
    // The page is painted before the library is there.
    const { createEngine } = await import("webgpu-conv");
    what = "device";
    const engine = await createEngine({ backend });
    released.signal.addEventListener("abort", () => engine.dispose());
    if (!isHeld()) {
      engine.dispose();
      return;
    }
    report({ status: "ready", engine });
    const lost = await engine.device?.lost;
    if (lost && isHeld()) report({ status: "lost", engine, reason: lost.message || lost.reason });
  };
  start().catch((error: unknown) => {
    if (isHeld()) report({ status: "missing", what, reason: describeError(error) });
  });
  return () => released.abort();
}
