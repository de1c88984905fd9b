/** Effective receptive fields cut through the middle, as lines. */
import "uplot/dist/uPlot.min.css";
import type { ComponentChild } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type UPlot from "uplot";
import type { EffectiveField } from "./effectiveField.js";

export interface Profile {
  readonly name: string;
  readonly field: EffectiveField;
}

/** Custom properties of the page that colour the lines. */
const COLOURS = ["--input", "--filter", "--output"];
const HEIGHT = 220;
const DIGITS = 3;

const middleRow = ({ extent, values }: EffectiveField): number[] => {
  const start = ((extent - 1) / 2) * extent;
  return [...values.slice(start, start + extent)];
};

const offsets = ({ extent }: EffectiveField): number[] =>
  Array.from({ length: extent }, (_, i) => i - (extent - 1) / 2);

export function ProfileChart({ profiles }: { readonly profiles: readonly Profile[] }): ComponentChild {
  const box = useRef<HTMLDivElement>(null);
  const scheme = useColourScheme();
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const left = new AbortController();
    // uPlot throws, once loaded, in a browser whose language is no valid tag: the table says the same.
    import("uplot").then(
      ({ default: Chart }) =>
        left.signal.aborted ||
        holdChart(new Chart(optionsFor(element, profiles), dataOf(profiles), element), element, left.signal),
      (error: unknown) => console.warn("The chart is left out.", error),
    );
    return () => left.abort();
  }, [profiles, scheme]);
  return (
    <>
      <div ref={box} class="profile-chart" aria-hidden="true" />
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

const dataOf = (profiles: readonly Profile[]): UPlot.AlignedData => [
  offsets(profiles[0].field),
  ...profiles.map(({ field }) => middleRow(field)),
];

function optionsFor(element: HTMLElement, profiles: readonly Profile[]): UPlot.Options {
  const style = getComputedStyle(element);
  const axis = {
    stroke: style.getPropertyValue("--muted"),
    grid: { stroke: style.getPropertyValue("--line"), width: 1 },
  };
  const lines = profiles.map(({ name }, i) => ({
    label: name,
    stroke: style.getPropertyValue(COLOURS[i % COLOURS.length]),
    width: 2,
    dash: i === 0 ? [] : [10 / i, 4],
  }));
  return {
    width: element.clientWidth,
    height: HEIGHT,
    scales: { x: { time: false }, y: { range: [0, 1.05] } },
    axes: [
      { ...axis, label: "Elements from the middle" },
      { ...axis, size: 44 },
    ],
    series: [{ label: "Offset" }, ...lines],
  };
}

/** Keeps the chart as wide as its box, until the signal. */
function holdChart(chart: UPlot, element: HTMLElement, signal: AbortSignal): void {
  const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
  observer.observe(element);
  signal.addEventListener("abort", () => {
    observer.disconnect();
    chart.destroy();
  });
}

/** Changes when the visitor's colours do. */
function useColourScheme(): boolean {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const look = (): void => setDark(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return dark;
}
