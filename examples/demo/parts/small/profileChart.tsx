/** Effective receptive fields cut through the middle, as lines. */
import type { ComponentChild } from "preact";
import { useMemo } from "preact/hooks";
import { Chart, type ChartContent } from "../../controls/chart.js";
import type { EffectiveField } from "./effectiveField.js";

export interface Profile {
  readonly name: string;
  readonly field: EffectiveField;
}

/** Custom properties of the page that colour the lines. */
const COLOURS = ["--input", "--filter", "--output"];
const DIGITS = 3;

const middleRow = ({ extent, values }: EffectiveField): number[] => {
  const start = ((extent - 1) / 2) * extent;
  return [...values.slice(start, start + extent)];
};

const offsets = ({ extent }: EffectiveField): number[] =>
  Array.from({ length: extent }, (_, i) => i - (extent - 1) / 2);

export function ProfileChart({ profiles }: { readonly profiles: readonly Profile[] }): ComponentChild {
  const content = useMemo(() => chartOf(profiles), [profiles]);
  return (
    <>
      <Chart content={content} />
      <details class="small">
        <summary>The same in numbers</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label="Effective receptive fields in numbers">
          <table class="number">
            <thead>
              <tr>
                <th scope="col">Offset</th>
                {profiles.map(({ name }) => (
                  <th scope="col" key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {offsets(profiles[0].field).map((offset, i) => (
                <tr key={offset}>
                  <th scope="row">{offset}</th>
                  {profiles.map(({ name, field }) => (
                    <td key={name}>{middleRow(field)[i].toFixed(DIGITS)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}

const chartOf = (profiles: readonly Profile[]): ChartContent => ({
  data: [offsets(profiles[0].field), ...profiles.map(({ field }) => middleRow(field))],
  options: (colour) => {
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 } };
    const lines = profiles.map(({ name }, i) => ({
      label: name,
      stroke: colour(COLOURS[i % COLOURS.length]),
      width: 2,
      dash: i === 0 ? [] : [10 / i, 4],
    }));
    return {
      scales: { x: { time: false }, y: { range: [0, 1.05] } },
      axes: [
        { ...axis, label: "Elements from the middle" },
        { ...axis, size: 44 },
      ],
      series: [{ label: "Offset" }, ...lines],
    };
  },
});
