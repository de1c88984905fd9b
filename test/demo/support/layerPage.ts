/** The part of the layer, step by step, as tests read and use it. */
import type { Locator, Page } from "playwright";
import { expect } from "vitest";
import { forward, makeProblem } from "webgpu-conv/reference";

/** Waits until what is shown is what the settings say. */
export async function untilShown(page: Page): Promise<void> {
  await page.locator(".layer-stage[data-stale=false] .stage").waitFor();
}

export const sliceOf = (page: Page, title: string): Locator => page.getByRole("grid", { name: title, exact: true });

/** The numbers of a slice as they are written, row by row; NaN where nothing is. */
export async function read(page: Page, title: string): Promise<number[]> {
  const texts = await sliceOf(page, title).getByRole("gridcell").allTextContents();
  return texts.map((text) => (text === "" ? NaN : Number(text.replace("−", "-"))));
}

export const readAll = async (page: Page, titles: readonly string[]): Promise<number[]> =>
  (await Promise.all(titles.map(async (title) => await read(page, title)))).flat();

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export async function setSlider(page: Page, name: string, value: number): Promise<void> {
  const slider = page.getByRole("slider", { name, exact: false });
  await slider.fill(String(value));
}

/** The layer's own tensors as the page shows them, the padding taken off. */
export async function readLayer(
  page: Page,
  { W, C, F, P, K }: { W: number; C: number; F: number; P: number; K: number },
) {
  const padded = await Promise.all(range(C).map(async (c) => await read(page, `x[${String(c)}]`)));
  const extent = W + 2 * P;
  const isOwn = (i: number): boolean => [Math.floor(i / extent), i % extent].every((at) => at >= P && at < P + W);
  return {
    x: Float32Array.from(padded.flatMap((slice) => slice.filter((_, i) => isOwn(i)))),
    w: Float32Array.from(
      await readAll(
        page,
        range(K).flatMap((k) => range(C).map((c) => `w${String(k)}[${String(c)}]`)),
      ),
    ),
    b: Float32Array.from(
      await readAll(
        page,
        range(K).map((k) => `b[${String(k)}]`),
      ),
    ),
    F,
  };
}

/** What the reference makes of the numbers on screen. */
export async function expectForward(
  page: Page,
  layer: { W: number; C: number; F: number; P: number; K: number },
  options: { stride?: number; dilation?: number; paddingMode?: "zeros" | "circular" },
): Promise<void> {
  const { W, C, F, P, K } = layer;
  const { x, w, b } = await readLayer(page, layer);
  const problem = makeProblem(2, [1, C, W, W], [K, C, F, F], { ...options, padding: P });
  const expected = forward(problem, x, w, { bias: b });
  expect(
    await readAll(
      page,
      range(K).map((k) => `y[${String(k)}]`),
    ),
  ).toEqual([...expected]);
}

export const DEFAULT = { W: 7, C: 3, F: 3, P: 1, K: 2 };
