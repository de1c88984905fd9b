/** The scene of the settings, computed anew when they change. The last one stays until the next is there. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Engine } from "webgpu-conv";
import { useEngine } from "../../shell/engineContext.js";
import { useRethrow } from "../../shell/useRethrow.js";
import { describeFit } from "./fit.js";
import { forwardScene } from "./forwardScene.js";
import { inputGradientScene } from "./inputGradientScene.js";
import type { View } from "./limits.js";
import { type Layer, type LayerSettings, makeLayer } from "./numbers.js";
import type { Scene } from "./scene.js";
import { weightGradientScene } from "./weightGradientScene.js";

/** A scene, and what it shows. */
export interface Shown {
  readonly scene: Scene;
  readonly layer: Layer;
  readonly view: View;
  /** Grows from scene to scene. */
  readonly version: number;
}

const SCENES: Readonly<Record<View, (engine: Engine, layer: Layer) => Promise<Scene>>> = {
  forward: forwardScene,
  dx: inputGradientScene,
  dw: weightGradientScene,
};

/** Undefined until the first one is there; `stale` while another is on its way, or the settings do not fit. */
export function useScene(settings: LayerSettings): { readonly shown: Shown | undefined; readonly stale: boolean } {
  const { engine, active } = useEngine();
  const rethrow = useRethrow();
  const [shown, setShown] = useState<Shown>();
  const { W, C, F, S, P, D, K, mode, view, seed, x, w, b, dy } = settings;
  const layer = useMemo(
    () => (describeFit(settings).kind === "impossible" ? undefined : makeLayer(settings)),
    [W, C, F, S, P, D, K, mode, seed, x, w, b, dy],
  );
  useEffect(() => {
    if (!layer || !active) return undefined;
    let wanted = true;
    SCENES[view](engine, layer).then(
      (scene) => wanted && setShown((before) => ({ scene, layer, view, version: (before?.version ?? 0) + 1 })),
      (error: unknown) => rethrow(error, () => wanted),
    );
    return () => {
      wanted = false;
    };
  }, [engine, active, layer, view, rethrow]);
  return { shown, stale: shown?.layer !== layer || shown?.view !== view };
}
