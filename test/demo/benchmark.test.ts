/** The benchmark, as a visitor would use it. */
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { median } from "../../examples/benchmark/statistics.js";
import { findSerious } from "./support/axe.js";
import { connect, longestBlock, openDemo, screenshot, TIMED, UNNOTICED } from "./support/demoPage.js";

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

const SMALL = "benchmark?layer=own&C=4&K=6&W=12&rounds=3";

/** Runs the layer that is chosen; gives the table's cells, a row for each pass. */
async function runIt(page: Page): Promise<string[][]> {
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const rows = page.locator(".benchmark-pass");
  await expect.poll(async () => await rows.count(), { timeout: 90_000 }).toBe(3);
  return await Promise.all((await rows.all()).map(async (row) => await row.locator("th, td").allTextContents()));
}

describe("benchmark", () => {
  test("times every pass of the visitor's layer, and holds each result to its bound", async () => {
    await using demo = await openDemo(browser, SMALL, { permissions: ["clipboard-read", "clipboard-write"] });
    const { page } = demo;
    const rows = await runIt(page);
    expect(rows.map(([pass]) => pass)).toEqual(["Forward", "Input gradient", "Weight gradient"]);
    const flops = 2 * 12 * 12 * 6 * 4 * 3 * 3;
    for (const [, cpu, cpuSpeed, device, deviceSpeed, ofPeak, speedUp, error, solver] of rows) {
      for (const [milliseconds, gflops] of [
        [cpu, cpuSpeed],
        [device, deviceSpeed],
      ]) {
        expect((parseFloat(gflops) * parseFloat(milliseconds) * 1e6) / flops).toBeCloseTo(1, 1);
      }
      expect(parseFloat(speedUp) / (parseFloat(cpu) / parseFloat(device))).toBeCloseTo(1, 1);
      expect(ofPeak).toMatch(/^(?:<?\d+\.\d|\d\d+)%$/);
      expect(error).toMatch(/^\d\.\de-\d+, within its bound$/);
      expect(solver).toMatch(/^[a-z-]+$/);
    }
    const said =
      /Median of 3 rounds on .*, each of as many runs as take 20 ms, at least one, by (?:the device's own|the wall) clock; 3 rounds of the reference, by the wall clock; the device's peak, measured: [\d.]+ GFLOP\/s of float32 multiply-adds; [\d.]+ KiB of device memory in use\./;
    await page.getByText(said).waitFor();
    await page.getByRole("button", { name: "Copy as JSON" }).click();
    await page.getByText("Copied").waitFor();
    const copied = JSON.parse(await page.evaluate(async () => await navigator.clipboard.readText())) as {
      readonly peak: number;
      readonly passes: readonly {
        readonly device: {
          readonly pass: boolean;
          readonly gflops: number;
          readonly repeats: number;
          readonly samplesMs: readonly number[];
        };
      }[];
    }[];
    expect(copied).toMatchObject([{ rounds: 3, layer: { input: [1, 4, 12, 12], weight: [6, 4, 3, 3] } }]);
    for (const [i, { device }] of copied[0].passes.entries()) {
      expect(device.pass).toBe(true);
      // So small a pass is repeated until a sample is long enough for a clock in steps of 0.1 ms.
      expect(device.repeats * median(device.samplesMs)).toBeGreaterThan(5);
      expect(parseFloat(rows[i][5].replace("<", "")) / 100).toBeCloseTo(device.gflops / copied[0].peak, 2);
    }
    await page.getByRole("button", { name: "Copy as Markdown" }).click();
    await expect
      .poll(async () => await page.evaluate(async () => await navigator.clipboard.readText()))
      .toMatch(/^3x3, 4 to 6 channels, 12 x 12, padding 1\. .*\n\n\| Pass \| CPU reference \|/);
    await screenshot(page, "benchmark");
    expect(await findSerious(page)).toEqual([]);
    expect(demo.errors).toEqual([]);
  });

  test("checks Winograd's tiles against their own bound", async () => {
    await using demo = await openDemo(browser, "benchmark?layer=own&C=32&K=32&W=24&rounds=3");
    const rows = await runIt(demo.page);
    expect(rows.map((row) => row[8])).toEqual(["winograd", "winograd", "winograd"]);
    for (const row of rows) expect(row[7]).toMatch(/within its bound$/);
  });

  test("keeps settings in the link, and says why a layer cannot be", async () => {
    await using demo = await openDemo(browser, "benchmark");
    const { page } = demo;
    await page.getByRole("combobox", { name: "Layer" }).selectOption("own");
    await page.getByRole("spinbutton", { name: "Filter extent F" }).fill("9");
    await page.getByRole("spinbutton", { name: "Height and width W" }).fill("4");
    await page.waitForURL(/benchmark\?.*F=9/);
    await page.reload();
    await page.getByText("ONNX Runtime's WebAssembly").waitFor();
    expect(await page.getByRole("spinbutton", { name: "Filter extent F" }).inputValue()).toBe("9");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await expect.poll(async () => await page.getByRole("alert").textContent()).toMatch(/9/);
    await page.getByRole("spinbutton", { name: "Filter extent F" }).fill("3");
    expect(await runIt(page)).toHaveLength(3);
    expect(demo.errors).toEqual([]);
  });

  test("can be cancelled", async () => {
    await using demo = await openDemo(browser, "benchmark?rounds=31");
    const { page } = demo;
    await page.getByRole("button", { name: "Run 10 typical layers" }).click();
    await page.getByRole("progressbar", { name: "Running" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("progressbar").waitFor({ state: "detached", timeout: 90_000 });
    expect(await page.locator(".benchmark-table").count()).toBe(0);
    expect(demo.errors).toEqual([]);
  });

  test("keeps the layers run so far side by side", async () => {
    await using demo = await openDemo(browser, SMALL);
    const { page } = demo;
    await runIt(page);
    await page.getByRole("spinbutton", { name: "Filters K" }).fill("7");
    await page.waitForURL(/K=7/);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await expect.poll(async () => await page.locator(".benchmark-pass").count(), { timeout: 90_000 }).toBe(6);
    // The same again takes the place of what was there.
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("progressbar").waitFor();
    await page.getByRole("progressbar").waitFor({ state: "detached", timeout: 90_000 });
    expect(await page.locator(".benchmark-layer").allTextContents()).toEqual([
      "(1) 3x3, 4 to 6 channels, 12 x 12, padding 1",
      "(2) 3x3, 4 to 7 channels, 12 x 12, padding 1",
    ]);
    await expect.poll(async () => await page.locator(".chart canvas").count()).toBe(1);
    await screenshot(page, "benchmark-two-layers");
    await page.getByRole("button", { name: "Clear" }).click();
    await expect.poll(async () => await page.locator(".benchmark-pass").count()).toBe(0);
    expect(demo.errors).toEqual([]);
  });

  test("leaves the page free while the CPU works", TIMED, async () => {
    const link = "benchmark?backend=cpu&layer=own&C=96&K=96&W=56&rounds=3";
    await using demo = await openDemo(browser, link, { withoutWebGpu: true });
    const blocked = await longestBlock(demo.page, async () => {
      const rows = await runIt(demo.page);
      expect(Math.min(...rows.map(([, milliseconds]) => parseFloat(milliseconds)))).toBeGreaterThan(UNNOTICED);
    });
    expect(blocked).toBeLessThan(UNNOTICED);
    expect(demo.errors).toEqual([]);
  });

  test("runs without WebGPU, and on a phone", async () => {
    const viewport = { width: 360, height: 800 };
    await using demo = await openDemo(browser, SMALL, { withoutWebGpu: true, viewport, colorScheme: "dark" });
    const { page } = demo;
    await page.getByRole("button", { name: /CPU/ }).click();
    const rows = await runIt(page);
    // The reference alone: there is no device to compare it with.
    expect(rows.map(([pass]) => pass)).toEqual(["Forward", "Input gradient", "Weight gradient"]);
    for (const row of rows) expect(row).toHaveLength(3);
    await screenshot(page, "benchmark-phone-dark");
    expect(await findSerious(page)).toEqual([]);
    expect(demo.errors).toEqual([]);
  });
});
