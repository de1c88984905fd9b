/** The layer's hyperparameters. */
import type { ComponentChild } from "preact";
import { Select } from "../../controls/select.js";
import { Slider } from "../../controls/slider.js";
import { LIMITS, MODES } from "./limits.js";
import type { LayerSettings } from "./numbers.js";

const SLIDERS = [
  { name: "W", label: "Input size" },
  { name: "C", label: "Input channels" },
  { name: "F", label: "Filter size" },
  { name: "K", label: "Filters" },
  { name: "S", label: "Stride" },
  { name: "P", label: "Padding" },
  { name: "D", label: "Dilation" },
] as const;

const MODE_NAMES = {
  zeros: "Zeros",
  reflect: "Reflect: mirror, edge once",
  symmetric: "Symmetric: mirror, edge twice",
  replicate: "Replicate the edge",
  circular: "Circular: the other side",
};

export function SettingsPanel(props: {
  readonly settings: LayerSettings;
  /** The layer itself changed: the window starts over. */
  readonly onChange: (changed: Partial<LayerSettings>) => void;
}): ComponentChild {
  const { settings, onChange } = props;
  return (
    <section class="panel layer-settings" aria-label="Settings">
      {SLIDERS.map(({ name, label }) => (
        <Slider
          key={name}
          label={label}
          symbol={name}
          value={settings[name]}
          min={LIMITS[name][0]}
          max={LIMITS[name][1]}
          onChange={(value) => onChange({ [name]: value })}
        />
      ))}
      <Select
        label="Padding mode"
        value={settings.mode}
        options={MODES.map((mode) => ({ value: mode, text: MODE_NAMES[mode] }))}
        onChange={(mode) => onChange({ mode })}
      />
    </section>
  );
}
