/** A labelled field for a number. What is no number in the range is marked, and not passed on. */
import type { ComponentChild } from "preact";
import { useId, useState } from "preact/hooks";

export function NumberField(props: {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** "any" where fractions will do; 1 when absent. */
  readonly step?: number | "any";
  readonly onChange: (value: number) => void;
  /** Spoken, but not shown. */
  readonly hiddenLabel?: boolean;
}): ComponentChild {
  const { label, value, min, max, step = 1, onChange, hiddenLabel = false } = props;
  const id = useId();
  // What is typed, as long as it is no valid number.
  const [draft, setDraft] = useState<string>();
  const read = (input: HTMLInputElement): void => {
    const valid = input.value !== "" && input.validity.valid;
    setDraft(valid ? undefined : input.value);
    if (valid) onChange(Number(input.value));
  };
  return (
    <div class="field">
      <div class={hiddenLabel ? "visually-hidden" : "field-head"}>
        <label htmlFor={id}>{label}</label>
      </div>
      <input
        id={id}
        type="number"
        inputMode={step === "any" ? "decimal" : "numeric"}
        min={min}
        max={max}
        step={step}
        value={draft ?? String(value)}
        aria-invalid={draft === undefined ? undefined : "true"}
        onInput={(event) => read(event.currentTarget)}
        onBlur={() => setDraft(undefined)}
      />
    </div>
  );
}
