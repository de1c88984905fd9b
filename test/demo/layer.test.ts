/** The layer, step by step, as a visitor would use it; numbers on screen against the float64 reference. */
import type { Browser, Locator, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forward, inputGradient, makeProblem, weightGradient } from "webgpu-conv/reference";
import { findSerious } from "./support/axe.js";
import { connect, openDemo, screenshot } from "./support/demoPage.js";

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

/** Waits until what is shown is what the settings say. */
async function untilShown(page: Page): Promise<void> {
  await page.locator(".layer-stage[data-stale=false] .stage").waitFor();
}

const sliceOf = (page: Page, title: string): Locator => page.getByRole("grid", { name: title, exact: true });

/** The numbers of a slice as they are written, row by row; NaN where nothing is. */
async function read(page: Page, title: string): Promise<number[]> {
  const texts = await sliceOf(page, title).getByRole("gridcell").allTextContents();
  return texts.map((text) => (text === "" ? NaN : Number(text.replace("−", "-"))));
}

const readAll = async (page: Page, titles: readonly string[]): Promise<number[]> =>
  (await Promise.all(titles.map(async (title) => await read(page, title)))).flat();

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

async function setSlider(page: Page, name: string, value: number): Promise<void> {
  const slider = page.getByRole("slider", { name, exact: false });
  await slider.fill(String(value));
}

/** The layer's own tensors as the page shows them, the padding taken off. */
async function readLayer(page: Page, { W, C, F, P, K }: { W: number; C: number; F: number; P: number; K: number }) {
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
async function expectForward(
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

const DEFAULT = { W: 7, C: 3, F: 3, P: 1, K: 2 };

describe("forward", () => {
  test("a 7 x 7 x 3 input by default, padded; the output grows as the window steps", async () => {
    await using demo = await openDemo(browser, "layer");
    const { page } = demo;
    await untilShown(page);
    expect(await page.locator(".slice-input").count()).toBe(3);
    expect(await read(page, "x[0]")).toHaveLength(81);
    const seen = async (): Promise<number> => (await read(page, "y[0]")).filter((value) => !Number.isNaN(value)).length;
    expect(await seen()).toBe(1);
    for (let step = 2; step <= 4; step++) {
      await page.getByRole("button", { name: "Step on" }).click();
      await expect.poll(seen).toBe(step);
    }
    await page.getByRole("button", { name: "Step back" }).click();
    await page.getByText("3 of 32").waitFor();
    await page.getByRole("checkbox", { name: "Show all results" }).check();
    await expectForward(page, DEFAULT, { stride: 2 });
    expect(demo.errors).toEqual([]);
  });

  test("the sum is shown term by term, and is the result", async () => {
    await using demo = await openDemo(browser, "layer?at=22&all=1");
    const { page } = demo;
    await untilShown(page);
    const { x, w, b } = await readLayer(page, DEFAULT);
    // Result 22: filter 1, row 1, column 2.
    const sums = range(3).map((c) => {
      return range(9).reduce((sum, tap) => {
        const [row, column] = [2 + Math.floor(tap / 3) - 1, 4 + (tap % 3) - 1];
        return sum + x[(c * 7 + row) * 7 + column] * w[((3 + c) * 3 + Math.floor(tap / 3)) * 3 + (tap % 3)];
      }, 0);
    });
    const written = await page.locator(".terms-sum").allTextContents();
    expect(written.map((text) => Number(text.replace("=", "").replace("−", "-")))).toEqual(sums);
    const terms = await page.locator(".term").allTextContents();
    expect(terms).toHaveLength(27);
    const products = terms.map((term) => {
      const [left, right] = term
        .replace(/^\+/, "")
        .split("·")
        .map((factor) => Number(factor.replace(/[()]/g, "").replace("−", "-")));
      return left * right;
    });
    const total = products.reduce((sum, product) => sum + product, b[1]);
    expect((await read(page, "y[1]"))[6]).toBe(total);
    expect(await page.locator(".equation strong").textContent()).toBe(String(total).replace("-", "−"));
    await page.locator(".term").first().hover();
    expect(await page.locator(".mark-pointed").count()).toBe(2);
  });

  test("it plays, pauses, and stops at the last result", async () => {
    await using demo = await openDemo(browser, "layer?W=3&C=1&K=1&S=1&P=0&F=2&pace=5");
    const { page } = demo;
    await untilShown(page);
    await page.getByRole("button", { name: "Play" }).click();
    await page.getByText("2 of 4").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Play" }).click();
    await page.getByText("4 of 4").waitFor();
    await page.getByRole("button", { name: "Play" }).waitFor();
    await page.getByRole("button", { name: "Start over" }).click();
    await page.getByText("1 of 4").waitFor();
  });

  test("a hidden page does not play on", async () => {
    await using demo = await openDemo(browser, "layer?pace=5");
    const { page } = demo;
    await untilShown(page);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForTimeout(600);
    expect(await page.locator(".play-count").textContent()).toBe("1 of 32");
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: false, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.getByText("3 of 32").waitFor();
  });

  test("the window is dragged, and moved with the arrow keys", async () => {
    await using demo = await openDemo(browser, "layer?at=5");
    const { page } = demo;
    await untilShown(page);
    const frame = page.getByRole("slider", { name: "Window" });
    expect(await frame.getAttribute("aria-valuetext")).toBe("y[0], row 1, column 1");
    const box = await frame.boundingBox();
    if (!box) throw new Error("the window is not on screen");
    const cell = box.width / 3;
    await page.mouse.move(box.x + cell / 2, box.y + cell / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + cell / 2 + 4 * cell, box.y + cell / 2 + 2 * cell, { steps: 5 });
    await page.mouse.up();
    expect(await frame.getAttribute("aria-valuetext")).toBe("y[0], row 2, column 3");
    await frame.focus();
    for (const key of ["ArrowUp", "ArrowUp", "ArrowLeft", "ArrowUp"]) await page.keyboard.press(key);
    expect(await frame.getAttribute("aria-valuetext")).toBe("y[0], row 0, column 2");
    await page.keyboard.press("End");
    expect(await frame.getAttribute("aria-valuetext")).toBe("y[0], row 3, column 3");
    await sliceOf(page, "y[1]").getByRole("gridcell").nth(9).click();
    expect(await frame.getAttribute("aria-valuetext")).toBe("y[1], row 2, column 1");
  });

  test("numbers of input, filter and bias are changed by click and by key, and kept in the link", async () => {
    await using demo = await openDemo(browser, "layer?all=1&at=31");
    const { page } = demo;
    await untilShown(page);
    const before = await read(page, "y[0]");
    await sliceOf(page, "x[1]").getByRole("gridcell").nth(20).click();
    await page.keyboard.type("7");
    await page.keyboard.press("Enter");
    await sliceOf(page, "w0[2]").getByRole("gridcell").nth(4).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.type("-3");
    await page.keyboard.press("Enter");
    await sliceOf(page, "b[1]").getByRole("gridcell").click();
    await page.keyboard.type("0.5");
    await page.keyboard.press("Enter");
    await untilShown(page);
    expect((await read(page, "x[1]"))[20]).toBe(7);
    expect((await read(page, "w0[2]"))[4]).toBe(-3);
    expect(await read(page, "b[1]")).toEqual([0.5]);
    expect(await read(page, "y[0]")).not.toEqual(before);
    await expectForward(page, DEFAULT, { stride: 2 });
    await page.waitForURL(/x=\d+:7/);
    await page.reload();
    await untilShown(page);
    expect((await read(page, "x[1]"))[20]).toBe(7);
    // Escape leaves a number as it was, and so does what is none.
    await sliceOf(page, "x[1]").getByRole("gridcell").nth(20).click();
    await page.keyboard.type("5");
    await page.keyboard.press("Escape");
    await sliceOf(page, "x[1]").getByRole("gridcell").nth(20).click();
    await page.keyboard.type("abc");
    await page.keyboard.press("Enter");
    expect((await read(page, "x[1]"))[20]).toBe(7);
    await page.getByRole("button", { name: "Undo my numbers" }).click();
    await expect.poll(async () => (await read(page, "x[1]"))[20]).not.toBe(7);
  });

  test("a press on the window without moving changes the number below it", async () => {
    await using demo = await openDemo(browser, "layer?at=5");
    const { page } = demo;
    await untilShown(page);
    await page.getByRole("slider", { name: "Window" }).click();
    await page.keyboard.type("9");
    await page.keyboard.press("Enter");
    // Row 1, column 1 at stride 2: the window's middle is at row 3, column 3 of the padded slice.
    await expect.poll(async () => (await read(page, "x[0]"))[3 * 9 + 3]).toBe(9);
  });
});

describe("settings", () => {
  test("sliders and the padding mode change layer, formulas and link", async () => {
    await using demo = await openDemo(browser, "layer?all=1");
    const { page } = demo;
    await untilShown(page);
    await setSlider(page, "Filter size", 2);
    await setSlider(page, "Dilation", 2);
    await setSlider(page, "Stride", 1);
    await setSlider(page, "Padding", 2);
    await setSlider(page, "Filters", 3);
    await setSlider(page, "Input depth", 2);
    await setSlider(page, "Input size", 6);
    await page.getByRole("combobox", { name: "Padding mode" }).selectOption("circular");
    await page.waitForURL(/mode=circular/);
    await untilShown(page);
    await expectForward(page, { W: 6, C: 2, F: 2, P: 2, K: 3 }, { dilation: 2, paddingMode: "circular" });
    const fact = async (name: string): Promise<string | null> =>
      await page.locator(`[data-fact=${name}]`).textContent();
    expect(await fact("output-size")).toBe("8");
    expect(await fact("weights")).toBe("27");
    expect(await fact("unshared")).toBe((27 * 64).toLocaleString("en"));
    expect(await fact("multiply-adds")).toBe((64 * 24).toLocaleString("en"));
    expect(await fact("receptive-field")).toBe("3");
    // The copies in the padding are those of a circle.
    const x = await read(page, "x[0]");
    expect(x[0]).toBe(x[6 * 10 + 6]);
    await screenshot(page, "layer-circular");
    expect(demo.errors).toEqual([]);
  });

  test("why a setting does not fit, and the nearest that does", async () => {
    await using demo = await openDemo(browser, "layer?W=4&F=5&P=0&S=1");
    const { page } = demo;
    const alert = page.getByRole("alert");
    await alert.filter({ hasText: "there is no place for the window" }).waitFor();
    await screenshot(page, "layer-does-not-fit");
    expect(await page.locator(".stage").count()).toBe(0);
    await alert.getByRole("button", { name: "Use P = 1" }).click();
    await untilShown(page);
    expect(await alert.count()).toBe(0);

    await setSlider(page, "Input size", 3);
    await setSlider(page, "Padding", 3);
    await page.getByRole("combobox", { name: "Padding mode" }).selectOption("reflect");
    await alert.filter({ hasText: "more elements than the input has" }).waitFor();
    await alert.getByRole("button", { name: "Use P = 2" }).click();
    await untilShown(page);

    await setSlider(page, "Stride", 3);
    await page.getByText("do not fit evenly").waitFor();
    await untilShown(page);
    await page.getByRole("button", { name: /^Use S = / }).click();
    await page.getByText("do not fit evenly").waitFor({ state: "detached" });
    expect(demo.errors).toEqual([]);
  });
});

describe("backward", () => {
  const CASES = [
    { settings: "", options: { stride: 2, padding: 1 }, F: 3 },
    { settings: "&S=3&F=2&D=2&P=2", options: { stride: 3, dilation: 2, padding: 2 }, F: 2 },
    { settings: "&mode=reflect", options: { stride: 2, padding: 1, paddingMode: "reflect" as const }, F: 3 },
    { settings: "&F=1&P=2&S=1", options: { stride: 1, padding: 2 }, F: 1 },
  ];

  test.each(CASES)("both gradients are those of the reference: $settings", async ({ settings, options, F }) => {
    await using demo = await openDemo(browser, `layer?view=dw&all=1${settings}`);
    const { page } = demo;
    await untilShown(page);
    const problem = makeProblem(2, [1, 3, 7, 7], [2, 3, F, F], options);
    const O = problem.output[2];
    const P = options.padding;
    const dy = Float32Array.from(await readAll(page, ["dy[0]", "dy[1]"]));
    expect(dy).toHaveLength(2 * O * O);
    const dw = await readAll(
      page,
      range(6).map((i) => `dw${String(Math.floor(i / 3))}[${String(i % 3)}]`),
    );
    expect(await page.locator("[data-equal]").textContent()).toContain(`All ${String(6 * F * F)} numbers`);
    expect(await read(page, "db")).toEqual(
      [0, 1].map((k) => dy.slice(k * O * O, (k + 1) * O * O).reduce((a, b) => a + b)),
    );

    await page.getByRole("button", { name: "gradient of the input" }).click();
    await untilShown(page);
    const dx = await readAll(
      page,
      range(3).map((c) => `dx[${String(c)}]`),
    );
    expect(await page.locator("[data-equal]").textContent()).toContain("All 147 numbers");

    await page.getByRole("button", { name: "Forward" }).click();
    await untilShown(page);
    const { x, w } = await readLayer(page, { W: 7, C: 3, F, P, K: 2 });
    expect(dw).toEqual([...weightGradient(problem, dy, x)]);
    expect(dx).toEqual([...inputGradient(problem, dy, w)]);
    expect(demo.errors).toEqual([]);
  });

  test("the filters of the input's gradient are flipped, and dy can be changed in it", async () => {
    await using demo = await openDemo(browser, "layer?view=dx");
    const { page } = demo;
    await untilShown(page);
    const turned = await read(page, "w1[2] flipped");
    await screenshot(page, "layer-input-gradient");
    // dy[0] starts below a rim of D(F - 1) - P = 1 zeros.
    await sliceOf(page, "dy[0]").getByRole("gridcell").nth(10).click({ force: true });
    await page.keyboard.type("8");
    await page.keyboard.press("Enter");
    await expect.poll(async () => (await read(page, "dy[0]"))[10]).toBe(8);
    await untilShown(page);
    expect(await page.locator("[data-equal]").textContent()).toContain("All 147 numbers");
    await page.getByRole("button", { name: "Step on" }).click();
    await page.getByText("2 of 147").waitFor();
    await page.getByRole("button", { name: "Forward" }).click();
    await untilShown(page);
    expect(await read(page, "w1[2]")).toEqual([...turned].reverse());
    await page.getByRole("button", { name: "gradient of the weights" }).click();
    await untilShown(page);
    expect((await read(page, "dy[0]"))[0]).toBe(8);
    await page.getByRole("button", { name: "Step on" }).click();
    await page.getByText("2 of 54").waitFor();
    await screenshot(page, "layer-weight-gradient");
  });
});

test.each(["layer?view=dx&mode=reflect", "layer?view=dw&at=20", "layer?F=5&W=4&P=0"])(
  "axe finds nothing serious in #%s, in the dark and on a phone",
  async (link) => {
    await using demo = await openDemo(browser, link, { colorScheme: "dark", viewport: { width: 360, height: 740 } });
    await demo.page.locator(".layer-stage").waitFor();
    await screenshot(demo.page, `dark-phone-${link.replace(/\W+/g, "-")}`);
    expect(await findSerious(demo.page)).toEqual([]);
    expect(await demo.page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  },
);

test("it runs on the CPU as well", async () => {
  await using demo = await openDemo(browser, "layer?backend=cpu&all=1", { withoutWebGpu: true });
  await untilShown(demo.page);
  await expectForward(demo.page, DEFAULT, { stride: 2 });
  expect(demo.errors).toEqual([]);
});
