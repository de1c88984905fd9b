/** Speeds of layers and passes as bars, the device beside the CPU reference, on a logarithmic scale. */
import type { ComponentChild } from "preact";
import { useMemo } from "preact/hooks";
import type UPlot from "uplot";
import { Chart, type ChartContent } from "../../controls/chart.js";
import { PASS_NAMES } from "./job.js";
import type { Results } from "./measure.js";

/** Of a group of bars with its label, in pixels. */
const GROUP_WIDTH = 64;
/** Part of a group that its bars take. */
const FILLED = 0.7;
const BAR_HEIGHT = 260;
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- a const enum of a declaration file has no value here
const LOGARITHMIC = 3 as UPlot.Scale.Distr;

export function SpeedChart({ results }: { readonly results: readonly Results[] }): ComponentChild {
  const content = useMemo(() => chartOf(results), [results]);
  const groups = results.reduce((count, { passes }) => count + passes.length, 0);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Chart of speeds">
      <div style={{ minWidth: `${String(groups * GROUP_WIDTH)}px` }}>
        <Chart content={content} height={BAR_HEIGHT} />
      </div>
    </div>
  );
}

function chartOf(results: readonly Results[]): ChartContent {
  const bars = results.flatMap(({ passes }, i) => passes.map((pass) => ({ ...pass, layer: i + 1 })));
  const onDevice = bars.flatMap(({ device }) => device?.gflops ?? []);
  const onCpu = bars.map(({ reference }) => reference.gflops);
  const speeds = [...onDevice, ...onCpu];
  const label = (i: number): string => {
    const bar = bars.at(i);
    if (!bar || !Number.isInteger(i)) return "";
    const numbered = results.length > 1 ? `\n(${String(bar.layer)})` : "";
    return `${PASS_NAMES[bar.name].replace(" ", "\n")}${numbered}`;
  };
  // From a power of ten below all of them to one above.
  const range = [10 ** Math.floor(Math.log10(Math.min(...speeds))), 10 ** Math.ceil(Math.log10(Math.max(...speeds)))];
  return {
    data: [bars.map((_, i) => i), ...(onDevice.length > 0 ? [onDevice] : []), onCpu],
    options: (colour, { bars: makeBars }) => {
      const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 } };
      const both = onDevice.length > 0;
      const series = (name: string, property: string, align: -1 | 1) => ({
        label: name,
        fill: colour(property),
        ...(makeBars && { paths: makeBars({ size: [both ? FILLED / 2 : FILLED], align: both ? align : 0 }) }),
        points: { show: false },
      });
      return {
        scales: {
          x: { time: false, range: [-0.5, bars.length - 0.5] },
          y: { distr: LOGARITHMIC, range: [range[0], range[1]] },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: results.length > 1 ? 64 : 48,
            splits: () => bars.map((_, i) => i),
            values: (_, splits) => splits.map(label),
          },
          { ...axis, size: 56, label: "GFLOP/s" },
        ],
        series: [
          { label: "Pass" },
          ...(both ? [series("This device", "--pico-primary-background", -1)] : []),
          series("CPU reference", "--muted", 1),
        ],
      };
    },
  };
}
