/** What holds for every part of the page: looks, motion, weight, and that nothing is asked of others. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { findSerious } from "./support/axe.js";
import {
  connect,
  demoUrl,
  longestBlock,
  openDemo,
  PARTS,
  screenshot,
  TIMED,
  UNNOTICED,
  untilReady,
} from "./support/demoPage.js";

const KILOBYTE = 1000;

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

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

  test("who wants no motion sees none", async () => {
    /** The longest of all transitions and animations, in milliseconds. */
    const longestMotion = async (reducedMotion: "reduce" | "no-preference"): Promise<number> => {
      await using demo = await openDemo(browser, "layer", { reducedMotion });
      await untilReady(demo.page);
      return await demo.page.evaluate(() => {
        const styles = [...document.querySelectorAll("*")].map((element) => getComputedStyle(element));
        const all = styles.flatMap((style) => [style.transitionDuration, style.animationDuration]);
        return Math.max(...all.flatMap((value) => value.split(", ")).map((value) => 1000 * parseFloat(value)));
      });
    };
    expect(await longestMotion("no-preference")).toBeGreaterThan(50);
    expect(await longestMotion("reduce")).toBeLessThanOrEqual(1);
  });

  test("the first paint comes soon on a slow line", TIMED, async () => {
    await using demo = await openDemo(browser);
    const { page } = demo;
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    // Lighthouse's "slow 4G": 1.6 Mbit/s, 150 ms there and back.
    const slow = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 0.75e6 / 8 };
    await session.send("Network.emulateNetworkConditions", slow);
    await page.goto("about:blank");
    await page.goto(demoUrl("layer"), { waitUntil: "commit" });
    await untilReady(page);
    const [milliseconds] = await page.evaluate(() =>
      performance.getEntriesByName("first-contentful-paint").map(({ startTime }) => startTime),
    );
    console.log(`first contentful paint on slow 4G: ${milliseconds.toFixed(0)} ms`);
    // What Lighthouse calls good.
    expect(milliseconds).toBeLessThan(1800);
  });

  test("how long a page was blocked is seen, where it was", async () => {
    await using demo = await openDemo(browser);
    const { page } = demo;
    await untilReady(page);
    // So much that any machine takes longer; by the clock, a busy one might let it compute for a moment only.
    const blocked = await longestBlock(page, async () => {
      await page.evaluate(() => {
        let sum = 0;
        for (let i = 0; i < 4e8; i++) sum += Math.sqrt(i);
        return sum;
      });
    });
    expect(blocked).toBeGreaterThan(UNNOTICED);
  });

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

  // Kernels' texts are files of their own, each compressed by itself: a visitor loads those of the layers that are shown.
  test("all scripts together weigh less than 300 kB", () => {
    const folder = join(inject("demoFolder"), "assets");
    const scripts = readdirSync(folder).filter((file) => file.endsWith(".js"));
    const bytes = scripts.reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0);
    console.log(`the page's scripts: ${(bytes / KILOBYTE).toFixed(1)} kB gzip`);
    expect(scripts.length).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(300 * KILOBYTE);
  });
});
