/** The page around the parts: links, the engine's life, and what holds for all of it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { findSerious } from "./support/axe.js";
import { connect, loseDevice, openDemo, screenshot } from "./support/demoPage.js";

const PARTS = [
  { id: "layer", title: "The layer, step by step" },
  { id: "maps", title: "Activation maps, live" },
  { id: "small", title: "The power of small filters" },
  { id: "benchmark", title: "Benchmark" },
];
const KILOBYTE = 1000;

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

/** Waits until the page has an engine and has loaded the part. */
async function untilReady(page: Page): Promise<void> {
  await page.locator("footer", { hasText: "Runs on" }).waitFor();
  await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
}

describe("links", () => {
  test.each(PARTS)("#$id shows $title", async ({ id, title }) => {
    await using demo = await openDemo(browser, id);
    await untilReady(demo.page);
    expect(await demo.page.locator("h1").textContent()).toBe(title);
    expect(await demo.page.title()).toContain(title);
    expect(await demo.page.locator("nav [aria-current=page]").getAttribute("href")).toBe(`#${id}`);
    expect(demo.errors).toEqual([]);
  });

  test.each(["", "nowhere?x=1", "layer?F=nonsense&stride=%E0%A4%A", "?", "layer?&&==&F=99999999999"])(
    "#%s is no trouble",
    async (link) => {
      await using demo = await openDemo(browser, link);
      await untilReady(demo.page);
      expect(await demo.page.locator("h1").textContent()).toBe(PARTS[0].title);
      expect(demo.errors).toEqual([]);
    },
  );

  test("the navigation goes from part to part, and focus with it", async () => {
    await using demo = await openDemo(browser);
    const { page } = demo;
    for (const { id, title } of [...PARTS].reverse()) {
      await page.locator(`nav a[href^="#${id}"]`).click();
      await page.locator("h1:focus", { hasText: title }).waitFor();
    }
    await page.goBack();
    await page.locator("h1", { hasText: PARTS[1].title }).waitFor();
  });
});

describe("the engine's life", () => {
  test("without WebGPU the page says so and goes on with the CPU", async () => {
    await using demo = await openDemo(browser, "layer", { withoutWebGpu: true });
    const { page } = demo;
    await page.getByRole("alert").filter({ hasText: "No WebGPU here" }).waitFor();
    await screenshot(page, "shell-without-webgpu");
    await page.getByRole("button", { name: "Go on with the CPU" }).click();
    await untilReady(page);
    expect(await page.locator("footer").textContent()).toContain("CPU reference in float64");
    await page.waitForURL(/backend=cpu/);
    await page.reload();
    await untilReady(page);
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(demo.errors).toEqual([]);
  });

  test("a lost device is reported, and another goes on in its place", async () => {
    await using demo = await openDemo(browser, "small");
    const { page } = demo;
    await untilReady(page);
    await loseDevice(page);
    await page.getByRole("alert").filter({ hasText: "The device was lost" }).waitFor();
    await screenshot(page, "shell-device-lost");
    await page.getByRole("button", { name: "Go on with a new device" }).click();
    await page.getByRole("alert").waitFor({ state: "detached" });
    await untilReady(page);
    await loseDevice(page);
    await page.getByRole("button", { name: "Go on with the CPU" }).click();
    await page.locator("footer", { hasText: "CPU reference" }).waitFor();
    expect(demo.errors).toEqual([]);
  });
});

describe("what holds for every part", () => {
  const LOOKS = [
    { look: "light", colorScheme: "light", viewport: { width: 1280, height: 900 } },
    { look: "dark", colorScheme: "dark", viewport: { width: 1280, height: 900 } },
    { look: "phone", colorScheme: "light", viewport: { width: 360, height: 740 } },
  ] as const;

  test.each(PARTS.flatMap(({ id }) => LOOKS.map((look) => ({ id, ...look }))))(
    "$id in $look: axe finds nothing serious, and nothing is wider than the screen",
    async ({ id, look, colorScheme, viewport }) => {
      await using demo = await openDemo(browser, id, { colorScheme, viewport, reducedMotion: "reduce" });
      const { page } = demo;
      await untilReady(page);
      await screenshot(page, `${id}-${look}`);
      expect(await findSerious(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
      expect(demo.errors).toEqual([]);
    },
  );

  test("nothing is asked of another host", async () => {
    await using demo = await openDemo(browser);
    for (const { id } of PARTS) {
      await demo.page.locator(`nav a[href^="#${id}"]`).click();
      await untilReady(demo.page);
    }
    expect(demo.requests.length).toBeGreaterThan(PARTS.length);
    const elsewhere = demo.requests.filter(
      (url) => !/^(?:blob:|data:)/.test(url) && !url.startsWith(inject("demoUrl")),
    );
    expect(elsewhere).toEqual([]);
  });

  test("its policy forbids what is not its own", async () => {
    await using demo = await openDemo(browser);
    const { page } = demo;
    const policy = await page.locator("meta[http-equiv=Content-Security-Policy]").getAttribute("content");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    const refused = await page.evaluate(async () => {
      return await fetch("https://example.org/").then(
        () => false,
        () => true,
      );
    });
    expect(refused).toBe(true);
  });

  test("all scripts together weigh less than 150 kB", () => {
    const folder = join(inject("demoFolder"), "assets");
    const scripts = readdirSync(folder).filter((file) => file.endsWith(".js"));
    const bytes = scripts.reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0);
    console.log(`the page's scripts: ${(bytes / KILOBYTE).toFixed(1)} kB gzip`);
    expect(scripts.length).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(150 * KILOBYTE);
  });
});
