/** An effective receptive field as a heat map, with the theoretical one as a frame. */
import { interpolateViridis } from "d3-scale-chromatic";
import type { ComponentChild } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type EffectiveField, SHARE } from "./effectiveField.js";

const SHARE_WORDS = `at least ${String(100 * SHARE)}% of the squared gradient`;

/** Red, green and blue of a value from 0 to 1, dark to bright, told apart by the colour-blind too. */
function shade(value: number): readonly number[] {
  return (
    /#(..)(..)(..)/
      .exec(toHex(interpolateViridis(value)))
      ?.slice(1)
      .map((part) => parseInt(part, 16)) ?? [0, 0, 0]
  );
}

/** d3 gives "rgb(1, 2, 3)" where it interpolates, and "#010203" where it looks up. */
function toHex(color: string): string {
  const parts = /rgb\((\d+), (\d+), (\d+)\)/.exec(color);
  return parts
    ? `#${parts
        .slice(1)
        .map((part) => Number(part).toString(16).padStart(2, "0"))
        .join("")}`
    : color;
}

export function HeatMap({
  name,
  field,
  receptiveField,
}: {
  readonly name: string;
  readonly field: EffectiveField;
  /** The theoretical one. */
  readonly receptiveField: number;
}): ComponentChild {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { extent, values, effective } = field;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = new ImageData(extent, extent);
    for (const [i, value] of values.entries()) image.data.set([...shade(value), 255], 4 * i);
    context.putImageData(image, 0, 0);
  }, [extent, values]);
  const percent = (elements: number): string => `${String((100 * elements) / extent)}%`;
  const rim = (extent - receptiveField) / 2;
  return (
    <figure class="heat-map">
      <figcaption>
        <strong>{name}</strong>
      </figcaption>
      <div class="heat-map-ground">
        <canvas
          ref={canvas}
          width={extent}
          height={extent}
          role="img"
          aria-label={`Effective receptive field of ${name}: ${String(effective)} by ${String(effective)} of ${String(receptiveField)} by ${String(receptiveField)} hold ${SHARE_WORDS}`}
        />
        <span
          class="heat-map-frame"
          style={{
            top: percent(rim),
            left: percent(rim),
            width: percent(receptiveField),
            height: percent(receptiveField),
          }}
        />
      </div>
      <p class="small muted">
        Sees {receptiveField} × {receptiveField} (frame);{" "}
        {effective < receptiveField ? "the middle" : "only all of it,"}{" "}
        <span data-effective={name}>
          {effective} × {effective}
        </span>
        {effective < receptiveField ? "" : ","} holds {SHARE_WORDS}.
      </p>
    </figure>
  );
}
