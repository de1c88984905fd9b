/** The parts of the page in Firefox as it is installed: each draws and works, and nothing complains. */
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Firefox, firefoxProgram } from "../support/firefox/browser.js";
import type { FirefoxPage } from "../support/firefox/page.js";
import { demoUrl, PARTS, SCREENSHOTS } from "./support/demoPage.js";

/** Milliseconds that a part may take on a software device, its kernels' compilation with it. */
const PATIENCE = 100_000;

let browser: Firefox;
beforeAll(async () => {
  const program = firefoxProgram();
  if (program === undefined) throw new Error("there is no Firefox; npm run test:demo leaves these tests out then");
  browser = await Firefox.launch(program);
});
afterAll(async () => await browser.close());

const untilShown = async (page: FirefoxPage, selector: string, text = ""): Promise<void> =>
  await page.until(
    `${selector} ${text}`,
    PATIENCE,
    (selector, text) => [...document.querySelectorAll(selector)].some(({ textContent }) => textContent.includes(text)),
    selector,
    text,
  );

async function press(page: FirefoxPage, name: string): Promise<void> {
  await untilShown(page, "button", name);
  await page.evaluate((name) => {
    const buttons = [...document.querySelectorAll("button")];
    buttons.find(({ textContent }) => textContent.trim() === name)?.click();
  }, name);
}

interface Visit {
  readonly id: string;
  /** That suit a software device. */
  readonly settings: string;
  /** Of the picture. */
  readonly name: string;
  /** What a visitor does, until the part has shown all that it does. */
  readonly visit: (page: FirefoxPage) => Promise<void>;
}

const VISITS: readonly Visit[] = [
  {
    id: "layer",
    settings: "",
    name: "layer",
    visit: async (page) => await untilShown(page, ".layer-stage[data-stale=false] .stage"),
  },
  { id: "maps", settings: "", name: "maps", visit: async (page) => await untilShown(page, "main", "for the layer on") },
  {
    id: "maps",
    settings: "source=camera&filters=drawn",
    name: "camera",
    visit: async (page) => await untilShown(page, "main", "frames a second"),
  },
  {
    id: "small",
    settings: "C=16&W=14&rounds=3",
    name: "small",
    visit: async (page) => {
      await untilShown(page, ".heat-map");
      await press(page, "Measure on this device");
      await untilShown(page, "main", "Median of 3 rounds");
    },
  },
  {
    id: "benchmark",
    settings: "layer=own&W=12&rounds=3",
    name: "benchmark",
    visit: async (page) => {
      await press(page, "Run");
      await untilShown(page, ".benchmark-pass");
      // Its peak is timed as its passes are: by a clock that knows nothing of how late the browser tells that they are done.
      const texts = await page.evaluate(() => [...document.querySelectorAll("td")].map((cell) => cell.textContent));
      const shares = texts.filter((text) => /^[\d.]+%$/.test(text)).map(parseFloat);
      expect(shares).toHaveLength(3);
      expect(Math.max(...shares), "percent of the peak").toBeLessThan(200);
    },
  },
];

/** How many colours the canvases of the page have, of each the number. */
const countColours = async (page: FirefoxPage): Promise<number[]> =>
  await page.evaluate(() =>
    [...document.querySelectorAll("canvas")].map((canvas) => {
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
      copy?.drawImage(canvas, 0, 0);
      const pixels = copy?.getImageData(0, 0, canvas.width, canvas.height).data.buffer ?? new ArrayBuffer();
      return new Set(new Uint32Array(pixels)).size;
    }),
  );

describe("in Firefox", () => {
  test("every part is visited", () => {
    expect(new Set(VISITS.map(({ id }) => id))).toEqual(new Set(PARTS.map(({ id }) => id)));
  });

  test.each(VISITS)("$name: draws, works, and has nothing to complain of", async ({ id, settings, name, visit }) => {
    await using page = await browser.newPage();
    await page.goto(demoUrl(`${id}?${settings}`));
    await untilShown(page, "footer", "Runs on unnamed WebGPU adapter");
    await untilShown(page, "h1", PARTS.find((part) => part.id === id)?.title);
    await visit(page);
    await page.screenshot(resolve(SCREENSHOTS, `firefox-${name}.png`));
    expect(Math.min(2, ...(await countColours(page))), "colours of the emptiest canvas").toBe(2);
    expect(page.errors).toEqual([]);
  });
});
