/** Playing the window through its places, and stepping by hand. */
import type { ComponentChild } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button } from "../../controls/button.js";
import { Checkbox } from "../../controls/checkbox.js";
import { Slider } from "../../controls/slider.js";
import { LIMITS } from "./limits.js";

const SLOWEST_MS = 2000;
const PACES = ["very slow", "slow", "steady", "fast", "very fast"];

/** Steps on while it plays; stops at the last place, and rests while the page is not seen. */
export function usePlaying(at: number, last: number, pace: number, active: boolean, goTo: (at: number) => void) {
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing || !active) return undefined;
    if (at >= last) {
      setPlaying(false);
      return undefined;
    }
    const timer = setTimeout(() => goTo(at + 1), SLOWEST_MS / 2 ** (pace - 1));
    return () => clearTimeout(timer);
  }, [playing, active, at, last, pace, goTo]);
  return [playing, setPlaying] as const;
}

export function PlayBar(props: {
  readonly at: number;
  readonly last: number;
  readonly playing: boolean;
  readonly pace: number;
  readonly all: boolean;
  readonly onPlay: (playing: boolean) => void;
  readonly onGoTo: (at: number) => void;
  readonly onStartOver: () => void;
  readonly onPace: (pace: number) => void;
  readonly onAll: (all: boolean) => void;
}): ComponentChild {
  const { at, last, playing, pace, all, onPlay, onGoTo, onStartOver, onPace, onAll } = props;
  const play = (): void => {
    if (!playing && at >= last) onStartOver();
    onPlay(!playing);
  };
  const step = (by: number): void => {
    onPlay(false);
    onGoTo(at + by);
  };
  return (
    <div class="play-bar" role="toolbar" aria-label="Steps">
      <Button onPress={play}>{playing ? "Pause" : "Play"}</Button>
      <Button kind="secondary" onPress={() => step(-1)} disabled={at <= 0} label="Step back">
        ‹ Back
      </Button>
      <Button kind="secondary" onPress={() => step(1)} disabled={at >= last} label="Step on">
        Step ›
      </Button>
      <Button
        kind="secondary"
        onPress={() => {
          onPlay(false);
          onStartOver();
        }}
      >
        Start over
      </Button>
      <span class="play-count number">
        {at + 1} of {last + 1}
      </span>
      <div class="play-pace">
        <Slider
          label="Pace"
          value={pace}
          min={LIMITS.pace[0]}
          max={LIMITS.pace[1]}
          format={(value) => PACES[value - 1]}
          onChange={onPace}
        />
      </div>
      <Checkbox label="Show all results" checked={all} onChange={onAll} />
    </div>
  );
}
