/** A slice of a volume as a grid: one tab stop, arrow keys from cell to cell, Enter or a click to change a number. */
import type { ComponentChild, ComponentChildren } from "preact";
import { memo } from "preact/compat";
import { useRef, useState } from "preact/hooks";
import { CellEditor } from "./cellEditor.js";
import { formatNumber } from "../../format.js";

export type Role = "input" | "filter" | "output";

/** What a cell is, for its looks: the layer's own number, what padding put there, or a result not reached yet. */
export type CellKind = "own" | "padding" | "result" | "unseen";

export interface SliceProps {
  readonly role: Role;
  readonly title: string;
  readonly height: number;
  readonly width: number;
  readonly valueAt: (row: number, column: number) => number;
  readonly kindAt: (row: number, column: number) => CellKind;
  /** Changes a number; only cells of the kind "own" can be. */
  readonly onEdit?: ((row: number, column: number, value: number) => void) | undefined;
  /** A result was chosen. */
  readonly onPick?: ((row: number, column: number) => void) | undefined;
  /** Anything that changes when the values do: the slice is drawn anew only then. */
  readonly version: unknown;
}

interface Spot {
  readonly row: number;
  readonly column: number;
}

const KEYS: Readonly<Record<string, readonly [rows: number, columns: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

function SliceGrid(props: SliceProps): ComponentChild {
  const { role, title, height, width, valueAt, kindAt, onEdit, onPick } = props;
  const [focus, setFocus] = useState<Spot>({ row: 0, column: 0 });
  const [editing, setEditing] = useState<Spot>();
  const grid = useRef<HTMLDivElement>(null);
  const row = Math.min(focus.row, height - 1);
  const column = Math.min(focus.column, width - 1);

  const focusCell = (spot: Spot): void => {
    setFocus(spot);
    grid.current?.querySelector<HTMLElement>(`[data-cell="${String(spot.row)},${String(spot.column)}"]`)?.focus();
  };
  const activate = (spot: Spot): void => {
    if (onEdit && kindAt(spot.row, spot.column) === "own") setEditing(spot);
    else onPick?.(spot.row, spot.column);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (editing) return;
    const step = KEYS[event.key] as (typeof KEYS)[string] | undefined;
    if (step) {
      const next = (at: number, by: number, extent: number): number => Math.min(extent - 1, Math.max(0, at + by));
      focusCell({ row: next(row, step[0], height), column: next(column, step[1], width) });
    } else if (event.key === "Enter" || event.key === "F2") activate({ row, column });
    else return;
    event.preventDefault();
  };
  const finish = (spot: Spot, value: number | undefined): void => {
    setEditing(undefined);
    if (value !== undefined) onEdit?.(spot.row, spot.column, value);
    focusCell(spot);
  };

  return (
    <div class={`slice slice-${role}`} role="grid" aria-label={title} ref={grid} onKeyDown={onKeyDown}>
      {Array.from({ length: height }, (_, i) => (
        <div role="row" key={i}>
          {Array.from({ length: width }, (_, j) => {
            const spot = { row: i, column: j };
            const kind = kindAt(i, j);
            const text = kind === "unseen" ? "" : formatNumber(valueAt(i, j));
            const edited = editing?.row === i && editing.column === j;
            return (
              <div
                key={j}
                role="gridcell"
                class={`cell cell-${kind}`}
                style={{ "--length": edited ? "2" : String(text.length) }}
                data-cell={`${String(i)},${String(j)}`}
                tabIndex={i === row && j === column ? 0 : -1}
                aria-readonly={onEdit && kind === "own" ? undefined : "true"}
                onFocus={() => setFocus(spot)}
                onClick={() => {
                  if (!edited) activate(spot);
                }}
              >
                {edited ? (
                  <CellEditor
                    label={`${title}, row ${String(i)}, column ${String(j)}`}
                    value={valueAt(i, j)}
                    onDone={(value) => finish(spot, value)}
                  />
                ) : (
                  text
                )}
              </div>
            );
          })}
        </div>
      ))}
    </div>
  );
}

/** Callbacks change with every drawing; what they do does not. */
export const Slice = memo(SliceGrid, (before, after) => {
  const same = (name: keyof SliceProps): boolean => before[name] === after[name];
  return (["role", "title", "height", "width", "version"] as const).every(same);
});

/** A slice with its title above, and what lies over it. */
export function TitledSlice(
  props: SliceProps & { readonly children?: ComponentChildren; readonly marked?: boolean },
): ComponentChild {
  const { children, marked = false, ...slice } = props;
  return (
    <figure class={`titled-slice${marked ? " titled-slice-marked" : ""}`}>
      <figcaption>{slice.title}</figcaption>
      <div class="slice-ground">
        <Slice {...slice} />
        {children}
      </div>
    </figure>
  );
}
