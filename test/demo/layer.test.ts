/** The layer, step by step, as a visitor would use it; numbers on screen against the float64 reference. */
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findSerious } from "./support/axe.js";
import { connect, openDemo, screenshot, setHidden } from "./support/demoPage.js";
import { DEFAULT, expectForward, range, read, readLayer, setSlider, sliceOf, untilShown } from "./support/layerPage.js";

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

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
    // So slowly that a busy machine sees it, too, before it goes on.
    await using demo = await openDemo(browser, "layer?W=3&C=1&K=1&S=1&P=0&F=2&pace=1");
    const { page } = demo;
    await untilShown(page);
    await page.getByRole("button", { name: "Play" }).click();
    await page.getByText("2 of 4").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await setSlider(page, "Pace", 5);
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
    await setHidden(page, true);
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForTimeout(600);
    expect(await page.locator(".play-count").textContent()).toBe("1 of 32");
    await setHidden(page, false);
    // It does not stop at any of them for long.
    await expect
      .poll(async () => parseInt((await page.locator(".play-count").textContent()) ?? "", 10))
      .toBeGreaterThan(2);
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

describe("numbers of many digits", () => {
  // In a 9 x 9 input with 4 filters, cells are at their smallest.
  const LINK = "layer?W=9&F=5&K=4&all=1&at=3&x=0:-3.88,1:0.125,2:98.765,3:-99&w=0:-0.375,1:12.345&b=0:0.125";

  test.each([{}, { viewport: { width: 360, height: 740 } }])("are written in full, %o", async (options) => {
    await using demo = await openDemo(browser, LINK, options);
    const { page } = demo;
    await untilShown(page);
    expect((await read(page, "x[0]")).slice(12, 16)).toEqual([-3.88, 0.125, 98.765, -99]);
    const cut = await page.locator(".cell").evaluateAll((cells) =>
      cells.flatMap((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        const [text, box] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
        return text.width > box.width || parseFloat(getComputedStyle(cell).fontSize) < 8 ? [cell.textContent] : [];
      }),
    );
    expect(cut).toEqual([]);
    await screenshot(page, `layer-fractions-${options.viewport ? "phone" : "wide"}`);
    expect(demo.errors).toEqual([]);
  });

  test("are kept as they were typed, with as many decimals as a link holds", async () => {
    await using demo = await openDemo(browser, "layer?W=3");
    const { page } = demo;
    await untilShown(page);
    const cell = sliceOf(page, "x[0]").getByRole("gridcell").nth(6);
    const type = async (text: string): Promise<void> => {
      await cell.click({ force: true });
      await page.keyboard.type(text);
      // The whole of it is seen meanwhile.
      const field = page.locator(".cell-editor");
      expect(await field.evaluate((input) => input.scrollWidth - input.clientWidth)).toBeLessThanOrEqual(0);
      await page.keyboard.press("Enter");
    };
    await type("-98.7654");
    await expect.poll(async () => await cell.textContent()).toBe("−98.765");
    await page.waitForURL(/x=0:-98.765$/);
    await page.reload();
    await untilShown(page);
    expect(await cell.textContent()).toBe("−98.765");
    await type("1e-9");
    await expect.poll(async () => await cell.textContent()).toBe("0");
    await page.waitForURL(/x=0:0$/);
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
    await setSlider(page, "Input channels", 2);
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

    // What is left over of the padding is no loss.
    await setSlider(page, "Stride", 3);
    await page.getByText("no window reaches the last 2 rows and columns of the padding").waitFor();
    expect(await page.getByText("do not fit evenly").count()).toBe(0);
    await setSlider(page, "Padding", 0);
    await setSlider(page, "Input size", 7);
    await page.getByText("do not fit evenly").waitFor();
    await untilShown(page);
    await page.getByRole("button", { name: /^Use S = / }).click();
    await page.getByText("do not fit evenly").waitFor({ state: "detached" });
    expect(demo.errors).toEqual([]);
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
