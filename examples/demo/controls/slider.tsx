/** A labelled slider over whole numbers, with its value beside it. */
import type { ComponentChild } from "preact";
import { useId } from "preact/hooks";

export function Slider(props: {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly onChange: (value: number) => void;
  /** The value in words; the number itself when absent. */
  readonly format?: (value: number) => string;
  /** A symbol of the formulas, such as F. */
  readonly symbol?: string;
  readonly disabled?: boolean;
}): ComponentChild {
  const { label, value, min, max, step = 1, onChange, format = String, symbol, disabled = false } = props;
  const id = useId();
  return (
    <div class="field">
      <div class="field-head">
        <label htmlFor={id}>
          {label}
          {symbol ? <var>{symbol}</var> : null}
        </label>
        <output htmlFor={id}>{format(value)}</output>
      </div>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        disabled={disabled}
        aria-valuetext={format(value)}
        onInput={(event) => onChange(Number(event.currentTarget.value))}
      />
    </div>
  );
}
