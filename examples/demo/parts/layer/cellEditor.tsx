/** The field in a cell whose number is being changed. */
import type { ComponentChild } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { asWritten } from "../../format.js";
import { toEdit } from "../../settings/schema.js";
import { LIMITS } from "./limits.js";

export function CellEditor(props: {
  readonly label: string;
  readonly value: number;
  /** Called once, with the new value, or without one where the old is to stay. */
  readonly onDone: (value: number | undefined) => void;
}): ComponentChild {
  const { label, value, onDone } = props;
  const input = useRef<HTMLInputElement>(null);
  const done = useRef(false);
  // Before anything else is typed.
  useLayoutEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const end = (keeps: boolean): void => {
    if (done.current) return;
    done.current = true;
    // A decimal comma is a decimal point to many.
    const text = input.current?.value.trim().replace(",", ".").replace("−", "-") ?? "";
    const typed = Number(text);
    onDone(keeps && text !== "" && Number.isFinite(typed) ? toEdit(typed, LIMITS.numbers) : undefined);
  };
  return (
    <input
      ref={input}
      class="cell-editor"
      type="text"
      inputMode="decimal"
      aria-label={label}
      defaultValue={String(asWritten(value))}
      onBlur={() => end(true)}
      onKeyDown={(event) => {
        if (event.key === "Enter") end(true);
        else if (event.key === "Escape") end(false);
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    />
  );
}
