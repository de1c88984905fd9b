/** One filter and its map; pointing at the map, or moving over it with the arrow keys, chooses a place. */
import type { ComponentChild } from "preact";
import { type Bank, COLOURS, EXTENT, TAPS } from "./filters.js";
import type { Size } from "./pictures.js";

export interface Place {
  readonly filter: number;
  readonly x: number;
  readonly y: number;
}

const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, Math.round(value)));

export function MapView(props: {
  readonly bank: Bank;
  readonly filter: number;
  /** Of what the map is made of, and so of the map. */
  readonly size: Size;
  readonly place: Place | undefined;
  readonly onPlace: (place: Place) => void;
  readonly canvasRef: (canvas: HTMLCanvasElement | null) => void;
}): ComponentChild {
  const { bank, filter, place, onPlace, canvasRef } = props;
  const { width, height } = props.size;
  const middle = { x: width >> 1, y: height >> 1 };
  const here = place?.filter === filter ? place : undefined;
  const point = (event: PointerEvent & { readonly currentTarget: HTMLElement }): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = clamp(((event.clientX - box.left) / box.width) * width - 0.5, width - 1);
    const y = clamp(((event.clientY - box.top) / box.height) * height - 0.5, height - 1);
    onPlace({ filter, x, y });
  };
  const move = (event: KeyboardEvent): void => {
    const step = event.shiftKey ? 10 : 1;
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const [dx, dy] = moves[event.key];
    const { x, y } = here ?? middle;
    onPlace({ filter, x: clamp(x + dx, width - 1), y: clamp(y + dy, height - 1) });
  };
  const name = bank.names[filter];
  return (
    <figure class="map">
      <figcaption>
        <FilterTile bank={bank} filter={filter} />
        <span>{name}</span>
      </figcaption>
      <div
        class="map-ground"
        role="application"
        tabIndex={0}
        aria-label={`Map of ${name}: point, or use the arrow keys, to see what its filter finds at a place`}
        onPointerMove={point}
        onPointerDown={point}
        onKeyDown={move}
        onFocus={() => {
          if (!here) onPlace({ filter, ...middle });
        }}
      >
        <canvas ref={canvasRef} width={width} height={height} />
        {here ? (
          <span
            class="map-window"
            style={{
              left: `${String((100 * (here.x - (EXTENT >> 1))) / width)}%`,
              top: `${String((100 * (here.y - (EXTENT >> 1))) / height)}%`,
              width: `${String((100 * EXTENT) / width)}%`,
              height: `${String((100 * EXTENT) / height)}%`,
            }}
          />
        ) : null}
      </div>
    </figure>
  );
}

/** A filter as 5 x 5 cells of its colours: mid-grey is nothing, brighter adds, darker takes away. */
function FilterTile({ bank, filter }: { readonly bank: Bank; readonly filter: number }): ComponentChild {
  const own = bank.weight.subarray(COLOURS * TAPS * filter, COLOURS * TAPS * (filter + 1));
  const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  const colourOf = (tap: number): string => {
    const levels = [0, 1, 2].map((colour) => Math.round(127.5 * (1 + own[colour * TAPS + tap] / largest)));
    return `rgb(${levels.join(" ")})`;
  };
  return (
    <span class="map-cells" aria-hidden="true">
      {Array.from({ length: TAPS }, (_, tap) => (
        <span key={tap} style={{ background: colourOf(tap) }} />
      ))}
    </span>
  );
}

/** Signed values as cells of a grid, the largest in full colour. */
export function Cells({ values }: { readonly values: ArrayLike<number> }): ComponentChild {
  const list = Array.from(values);
  const largest = Math.max(...list.map(Math.abs), 1e-9);
  return (
    <span class="map-cells" aria-hidden="true">
      {list.map((value, i) => (
        <span key={i} style={{ background: signedColour(value / largest) }} />
      ))}
    </span>
  );
}

function signedColour(part: number): string {
  const fade = String(Math.round(255 * (1 - Math.abs(part))));
  return part < 0 ? `rgb(${fade} ${fade} 255)` : `rgb(255 ${fade} ${fade})`;
}
