/** The result that the window is at, in one line. */
import type { ComponentChild } from "preact";
import { formatFactor, formatNumber } from "../../format.js";
import { placeAt, type Scene } from "./scene.js";
import { writeResult } from "./sums.js";

export function Equation({
  scene,
  at,
  live,
}: {
  readonly scene: Scene;
  readonly at: number;
  readonly live: boolean;
}): ComponentChild {
  const { result, biases } = scene;
  const place = placeAt(scene, at);
  const slice = Math.floor(at / (result.height * result.width));
  const sums = scene.sumsAt(at);
  const bias = biases?.[place.filter];
  const { summands, sign, note } = writeResult(sums, bias, result.values[at]);
  const single = summands.length === 1;
  return (
    <p class="equation" aria-live={live ? "polite" : "off"}>
      <span class="equation-result">
        {result.titles[slice]}({place.row}, {place.column})
      </span>{" "}
      = {single ? <strong>{formatNumber(result.values[at])}</strong> : null}
      {(single ? [] : summands).map((summand, i) => (
        <span key={i}>
          {i > 0 ? " + " : ""}
          <span class={i < sums.length ? undefined : "term-weight"}>{formatFactor(summand)}</span>
        </span>
      ))}
      {single ? null : (
        <>
          {` ${sign} `}
          <strong>{formatNumber(result.values[at])}</strong>
        </>
      )}
      <span class="equation-note">{note}</span>
    </p>
  );
}
