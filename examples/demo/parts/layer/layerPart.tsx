/** The layer, step by step: settings, the stage with its window, and what the formulas say. */
import "./layer.css";
import type { ComponentChild } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../../controls/button.js";
import { useEngine } from "../../shell/engineContext.js";
import type { PartProps } from "../part.js";
import { Equation } from "./equation.js";
import { Explanation } from "./explanation.js";
import { Facts } from "./facts.js";
import { describeFit } from "./fit.js";
import { FitNotice } from "./fitNotice.js";
import type { View } from "./limits.js";
import { editKey, type LayerSettings } from "./numbers.js";
import type { LayerSchema } from "./part.js";
import { PlayBar, usePlaying } from "./playBar.js";
import { type Origin, resultSize } from "./scene.js";
import { SettingsPanel } from "./settingsPanel.js";
import { Stage } from "./stage.js";
import { type Shown, useScene } from "./useScene.js";
import { headsOf } from "./words.js";

const VIEW_NAMES: readonly { readonly view: View; readonly name: string }[] = [
  { view: "forward", name: "Forward: y" },
  { view: "dx", name: "Backward: gradient of the input" },
  { view: "dw", name: "Backward: gradient of the weights" },
];

export default function LayerPart({ settings, change }: PartProps<LayerSchema>): ComponentChild {
  const { shown, stale } = useScene(settings);
  const { grown, goTo, restart } = useSteps(settings, change);
  const edit = useEdits(settings, change);
  const fit = describeFit(settings);
  const changeLayer = (changed: Partial<LayerSettings>): void => restart(changed);
  return (
    <div class="layer">
      <SettingsPanel settings={settings} onChange={changeLayer} />
      <div class="layer-main">
        <FitNotice fit={fit} onApply={changeLayer} />
        <section class="panel layer-stage" aria-label="Step by step" data-stale={stale}>
          <div class="views" role="toolbar" aria-label="Pass">
            {VIEW_NAMES.map(({ view, name }) => (
              <Button key={view} kind="secondary" pressed={view === settings.view} onPress={() => restart({ view })}>
                {name}
              </Button>
            ))}
          </div>
          {shown && fit.kind !== "impossible" ? (
            <Steps
              shown={shown}
              settings={settings}
              change={change}
              grown={grown}
              goTo={goTo}
              restart={restart}
              edit={edit}
            />
          ) : null}
          {!shown && fit.kind !== "impossible" ? <p aria-busy="true">Computing</p> : null}
        </section>
      </div>
      <aside class="panel layer-facts" aria-label="What the formulas say">
        <Facts settings={settings} fits={fit.kind !== "impossible"} />
      </aside>
    </div>
  );
}

type Change = PartProps<LayerSchema>["change"];

/** Where the window is, and how far it has come. */
function useSteps(settings: LayerSettings, change: Change) {
  const { at } = settings;
  const [grown, setGrown] = useState(at);
  useEffect(() => setGrown((before) => Math.max(before, at)), [at]);
  const goTo = useCallback((next: number) => change({ at: next }), [change]);
  const restart = useCallback(
    (changed: Partial<LayerSettings>) => {
      setGrown(0);
      change({ ...changed, at: 0 });
    },
    [change],
  );
  return { grown, goTo, restart };
}

/** Changes one of the layer's numbers. Stays the same from drawing to drawing. */
function useEdits(settings: LayerSettings, change: Change): (origin: Origin, value: number) => void {
  const latest = useRef(settings);
  latest.current = settings;
  return useCallback(
    ({ name, place }: Origin, value: number) => {
      change({ [name]: new Map(latest.current[name]).set(editKey(name, place), value) });
    },
    [change],
  );
}

function Steps(props: {
  readonly shown: Shown;
  readonly settings: LayerSettings;
  readonly change: Change;
  readonly grown: number;
  readonly goTo: (at: number) => void;
  readonly restart: (changed: Partial<LayerSettings>) => void;
  readonly edit: (origin: Origin, value: number) => void;
}): ComponentChild {
  const { shown, settings, change, grown, goTo, restart, edit } = props;
  const { scene, layer, view } = shown;
  const { active } = useEngine();
  const last = resultSize(scene) - 1;
  const at = Math.min(settings.at, last);
  const [playing, setPlaying] = usePlaying(at, last, settings.pace, active, goTo);
  return (
    <>
      <PlayBar
        at={at}
        last={last}
        playing={playing}
        pace={settings.pace}
        all={settings.all}
        onPlay={setPlaying}
        onGoTo={goTo}
        onStartOver={() => restart({})}
        onPace={(pace) => change({ pace })}
        onAll={(all) => change({ all })}
      />
      <Equation scene={scene} at={at} live={!playing} />
      <Stage
        scene={scene}
        version={shown.version}
        at={at}
        grown={settings.all ? last : Math.max(grown, at)}
        heads={headsOf(layer, view)}
        actions={{ goTo, edit }}
      />
      <Hints settings={settings} restart={restart} />
      <Explanation scene={scene} layer={layer} view={view} />
    </>
  );
}

const NO_EDITS = { x: new Map(), w: new Map(), b: new Map(), dy: new Map() };

/** How to move and to change what is on the stage. */
function Hints(props: {
  readonly settings: LayerSettings;
  readonly restart: (changed: Partial<LayerSettings>) => void;
}): ComponentChild {
  const { settings, restart } = props;
  const edited = settings.x.size + settings.w.size + settings.b.size + settings.dy.size;
  return (
    <div class="layer-hints">
      <p>
        Drag the window, or move it with the arrow keys. Click a coloured number (or press Enter on it) to change it;
        click a result to go there.
      </p>
      <Button kind="secondary" onPress={() => restart({ ...NO_EDITS, seed: (settings.seed % 9999) + 1 })}>
        Other numbers
      </Button>
      <Button kind="secondary" disabled={edited === 0} onPress={() => restart(NO_EDITS)}>
        Undo my numbers
      </Button>
    </div>
  );
}
