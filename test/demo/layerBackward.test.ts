/** The two gradients of the layer, step by step, against the float64 reference. */
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inputGradient, makeProblem, weightGradient } from "webgpu-conv/reference";
import { connect, openDemo, screenshot } from "./support/demoPage.js";
import { range, read, readAll, readLayer, sliceOf, untilShown } from "./support/layerPage.js";

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

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
