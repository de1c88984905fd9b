/** How often something is timed. */
import type { ComponentChild } from "preact";
import { ROUNDS_RANGE } from "../settings/rounds.js";
import { Slider } from "./slider.js";

export function RoundsSlider(props: {
  readonly value: number;
  readonly onChange: (rounds: number) => void;
}): ComponentChild {
  const [min, max] = ROUNDS_RANGE;
  return <Slider label="Rounds" value={props.value} min={min} max={max} step={2} onChange={props.onChange} />;
}
