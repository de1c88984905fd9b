/** The window over a source slice: its taps outlined, dragged with a pointer, moved with the arrow keys. */
import type { ComponentChild } from "preact";
import { useRef } from "preact/hooks";
import type { WindowShape } from "./scene.js";

export interface WindowFrameProps {
  readonly window: WindowShape;
  readonly row: number;
  readonly column: number;
  /** Result rows and columns: how far it goes. */
  readonly rows: number;
  readonly columns: number;
  /** Only one of the slices' windows is in the order of the tab key. */
  readonly focusable: boolean;
  /** Where it is, in words. */
  readonly place: string;
  readonly onMove: (row: number, column: number) => void;
}

/** Where the pointer took hold, and where the window was then. */
interface Grip {
  readonly x: number;
  readonly y: number;
  readonly row: number;
  readonly column: number;
  moved: boolean;
}

const KEYS: Readonly<Record<string, readonly [rows: number, columns: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, value));

export function WindowFrame(props: WindowFrameProps): ComponentChild {
  const { window, row, column, rows, columns, focusable, place, onMove } = props;
  const grip = useRef<Grip | null>(null);
  const spanRows = window.dilation * (window.height - 1) + 1;
  const spanColumns = window.dilation * (window.width - 1) + 1;
  const move = (toRow: number, toColumn: number): void => {
    const [i, j] = [clamp(toRow, rows - 1), clamp(toColumn, columns - 1)];
    if (i !== row || j !== column) onMove(i, j);
  };
  const follow = (event: PointerEvent & { readonly currentTarget: HTMLElement }): void => {
    const from = grip.current;
    if (!from) return;
    const cell = event.currentTarget.offsetWidth / spanColumns;
    const steps = (pixels: number): number => Math.round(pixels / cell / window.stride);
    const [di, dj] = [steps(event.clientY - from.y), steps(event.clientX - from.x)];
    if (di !== 0 || dj !== 0) from.moved = true;
    if (from.moved) move(from.row + di, from.column + dj);
  };
  const release = (event: PointerEvent): void => {
    const from = grip.current;
    grip.current = null;
    if (!from || from.moved) return;
    // Pressed without moving: the cell below was meant.
    const below = document.elementsFromPoint(event.clientX, event.clientY);
    below
      .find((element): element is HTMLElement => element instanceof HTMLElement && element.role === "gridcell")
      ?.click();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = KEYS[event.key] as (typeof KEYS)[string] | undefined;
    if (step) move(row + step[0], column + step[1]);
    else if (event.key === "Home") move(0, 0);
    else if (event.key === "End") move(rows - 1, columns - 1);
    else return;
    event.preventDefault();
  };
  const cells = (count: number): string => `calc(var(--cell) * ${String(count)})`;
  return (
    <div
      class="window-frame"
      role={focusable ? "slider" : "presentation"}
      aria-label={focusable ? "Window" : undefined}
      aria-valuemin={focusable ? 0 : undefined}
      aria-valuemax={focusable ? rows * columns - 1 : undefined}
      aria-valuenow={focusable ? row * columns + column : undefined}
      aria-valuetext={focusable ? place : undefined}
      tabIndex={focusable ? 0 : undefined}
      style={{
        top: cells(row * window.stride),
        left: cells(column * window.stride),
        width: cells(spanColumns),
        height: cells(spanRows),
      }}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        grip.current = { x: event.clientX, y: event.clientY, row, column, moved: false };
      }}
      onPointerMove={follow}
      onPointerUp={release}
      onPointerCancel={() => {
        grip.current = null;
      }}
    >
      {Array.from({ length: window.height * window.width }, (_, tap) => (
        <span
          key={tap}
          class="window-tap"
          style={{
            top: cells(Math.floor(tap / window.width) * window.dilation),
            left: cells((tap % window.width) * window.dilation),
          }}
        />
      ))}
    </div>
  );
}
