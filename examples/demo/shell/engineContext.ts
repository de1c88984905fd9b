/** What a part is given to compute with. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Engine } from "webgpu-conv";

export interface PartEngine {
  /** The page's engine. It may be lost at any time; a part that then rejects is replaced once there is another. */
  readonly engine: Engine;
  /** Whether it runs on WebGPU; else on the CPU reference, where live video and drawing on the device are not to be had. */
  readonly gpu: boolean;
  /** False while the page is hidden or the device lost: nothing should move, and nothing be computed. */
  readonly active: boolean;
}

export const EngineContext = createContext<PartEngine | undefined>(undefined);

/** The engine of the page. Tensors made with it are the part's to dispose of. */
export function useEngine(): PartEngine {
  const context = useContext(EngineContext);
  if (!context) throw new Error("useEngine was called outside of a part");
  return context;
}
