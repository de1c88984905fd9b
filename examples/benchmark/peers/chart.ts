/** The results as a chart: an SVG file with one panel a pass and one dot an engine and layer. */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { LAYERS, PASSES } from "./layers.js";
import type { PeerReport } from "./row.js";

const PANEL = { width: 230, height: 330 };

export async function drawChart(report: PeerReport): Promise<string> {
  const view = new View(parse(compile(chartSpec(report)).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}

function chartSpec({ adapter, date, engines, rows }: PeerReport): TopLevelSpec {
  const names = Object.keys(engines);
  const values = rows
    .filter(({ verdict }) => verdict === "pass")
    .map(({ layer, pass, engine, gflops }) => ({ layer, pass, engine, gflops }));
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 10,
    title: { text: `GFLOP/s (logarithmic), ${adapter}, ${date}`, anchor: "start" },
    data: { values },
    facet: { column: { field: "pass", sort: [...PASSES], title: null, header: { labelFontSize: 12 } } },
    spec: {
      ...PANEL,
      mark: { type: "point", filled: true, size: 70, opacity: 0.9 },
      encoding: {
        x: {
          field: "gflops",
          type: "quantitative",
          scale: { type: "log" },
          axis: { title: null, format: "~g", tickCount: 5 },
        },
        y: {
          field: "layer",
          type: "nominal",
          sort: LAYERS.map(({ name }) => name),
          axis: { title: null, grid: true, labelLimit: 260 },
        },
        color: { field: "engine", type: "nominal", sort: names, legend: { title: null, orient: "bottom" } },
        shape: { field: "engine", type: "nominal", sort: names },
      },
    },
  };
}
