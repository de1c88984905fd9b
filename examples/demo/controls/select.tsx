/** A labelled choice from a list. */
import type { ComponentChild } from "preact";
import { useId } from "preact/hooks";

export interface Option<Value extends string> {
  readonly value: Value;
  readonly text: string;
}

export function Select<Value extends string>(props: {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly Option<Value>[];
  readonly onChange: (value: Value) => void;
  readonly disabled?: boolean;
}): ComponentChild {
  const { label, value, options, onChange, disabled = false } = props;
  const id = useId();
  const choose = (text: string): void => {
    const option = options.find((one) => one.value === text);
    if (option) onChange(option.value);
  };
  return (
    <div class="field">
      <div class="field-head">
        <label htmlFor={id}>{label}</label>
      </div>
      <select id={id} value={value} disabled={disabled} onChange={(event) => choose(event.currentTarget.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.text}
          </option>
        ))}
      </select>
    </div>
  );
}
