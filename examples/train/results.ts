/** What a trained network leaves: its weights, pictures of its filters and maps, and a page that shows them. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encode } from "fast-png";
import type { Engine } from "webgpu-conv";
import { type Dataset, explainNetwork, type Module, saveState } from "webgpu-conv/nn";

/** What the page says. */
export interface Facts {
  readonly adapter: string;
  readonly losses: readonly number[];
  /** The part of held-out glyphs that are right. */
  readonly accuracy: number;
  readonly seconds: number;
}

/** Pixels of a value in pictures of filters and of maps. */
const [FILTER_SCALE, MAP_SCALE] = [16, 4];

/** Planes side by side, in shades of gray from the least value to the largest of each plane, a pixel apart. */
function sheetOf(planes: readonly Float32Array[], extent: number, scale: number): Uint8Array {
  const cell = extent * scale + 1;
  const width = planes.length * cell - 1;
  const data = new Uint8Array(width * extent * scale).fill(255);
  planes.forEach((plane, p) => {
    const least = Math.min(...plane);
    const range = Math.max(...plane) - least || 1;
    for (let row = 0; row < extent * scale; row++) {
      for (let column = 0; column < extent * scale; column++) {
        const value = plane[Math.floor(row / scale) * extent + Math.floor(column / scale)];
        data[row * width + p * cell + column] = Math.round((255 * (value - least)) / range);
      }
    }
  });
  return encode({ width, height: extent * scale, data, channels: 1, depth: 8 });
}

const planesOf = (values: Float32Array, extent: number): Float32Array[] =>
  Array.from({ length: values.length / extent ** 2 }, (_, i) =>
    values.subarray(i * extent ** 2, (i + 1) * extent ** 2),
  );

/**
 * Writes the files into a folder.
 *
 * @returns their names
 */
export async function writeResults(
  folder: string,
  engine: Engine,
  network: Module,
  heldOut: Dataset,
  facts: Facts,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const { conv1 } = network.children;
  const filters = sheetOf(planesOf(await conv1.parameters.weight.data(), 3), 3, FILTER_SCALE);
  const [, height] = heldOut.shape;
  const { x } = await heldOut.get(0);
  using image = engine.tensor(x, [1, ...heldOut.shape]);
  using maps = conv1.forward(image);
  const glyph = sheetOf([x], height, MAP_SCALE);
  const activations = sheetOf(planesOf(await maps.data(), maps.shape[3]), maps.shape[3], MAP_SCALE);
  const table = explainNetwork(network, [1, ...heldOut.shape]).toString();
  const files: Readonly<Record<string, Uint8Array | string>> = {
    "weights.safetensors": await saveState(network),
    "filters.png": filters,
    "maps.png": activations,
    "report.html": reportPage(facts, table, { glyph, filters, activations }),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return Object.keys(files).map((name) => join(folder, name));
}

const [PLOT_WIDTH, PLOT_HEIGHT] = [640, 200];

/** The loss of each step, as a line. */
function plot(losses: readonly number[]): string {
  const most = Math.max(...losses);
  const points = losses.map((loss, i) => {
    const [x, y] = [(PLOT_WIDTH * i) / Math.max(1, losses.length - 1), PLOT_HEIGHT * (1 - loss / most)];
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return `<svg viewBox="0 0 ${String(PLOT_WIDTH)} ${String(PLOT_HEIGHT)}" role="img" aria-label="loss from ${losses[0].toFixed(2)} to ${losses[losses.length - 1].toFixed(2)}"><polyline fill="none" stroke="currentColor" points="${points.join(" ")}"/></svg>`;
}

const imageTag = (png: Uint8Array, words: string): string =>
  `<img alt="${words}" src="data:image/png;base64,${Buffer.from(png).toString("base64")}">`;

function reportPage(
  { adapter, losses, accuracy, seconds }: Facts,
  table: string,
  pictures: Readonly<Record<"glyph" | "filters" | "activations", Uint8Array>>,
): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A network for glyphs</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 60rem; margin: 2rem auto; padding: 0 1rem } img { image-rendering: pixelated; max-width: 100% } pre { overflow-x: auto }</style>
<h1>A network for glyphs</h1>
<p>${(100 * accuracy).toFixed(1)} % of held-out glyphs are right, after ${String(losses.length)} steps in ${seconds.toFixed(0)} seconds on ${escapeText(adapter)}.</p>
<h2>Loss of each step</h2>
${plot(losses)}
<h2>A glyph, and what the first layer makes of it</h2>
<p>${imageTag(pictures.glyph, "a glyph")} ${imageTag(pictures.activations, "maps of the first layer, one a filter")}</p>
<h2>Filters of the first layer</h2>
<p>${imageTag(pictures.filters, "filters of 3 x 3 values")}</p>
<h2>Layers</h2>
<pre>${escapeText(table)}</pre>
</html>
`;
}

const escapeText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
