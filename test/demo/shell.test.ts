/** The page around the parts: links, the engine's life, and what holds for all of it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { findSerious } from "./support/axe.js";
import {
  connect,
  demoUrl,
  longestBlock,
  loseDevice,
  openDemo,
  screenshot,
  TIMED,
  UNNOTICED,
} from "./support/demoPage.js";

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

  test("what is chosen stays chosen, whatever the page was about to write into the address", async () => {
    await using demo = await openDemo(browser, "benchmark");
    const { page } = demo;
    await untilReady(page);
    // The address changes at once, and the page is told of it later: here its last chance to write comes in between.
    await page.evaluate(() => {
      location.hash = "#maps";
      dispatchEvent(new Event("pagehide"));
    });
    await page.locator("h1", { hasText: "Activation maps" }).waitFor();
    expect(demo.errors).toEqual([]);
  });

  test("to what was just changed are copied as they are then, and found again on coming back", async () => {
    await using demo = await openDemo(browser, "layer", { permissions: ["clipboard-read", "clipboard-write"] });
    const { page } = demo;
    await untilReady(page);
    const slider = page.getByRole("slider", { name: "Input size" });
    // In one go, so that no timer comes in between.
    const changeAnd = async (value: string, press: string): Promise<void> =>
      await slider.evaluate(
        async (input: HTMLInputElement, [value, press]) => {
          input.value = value;
          input.dispatchEvent(new Event("input", { bubbles: true }));
          await Promise.resolve();
          const target = [...document.querySelectorAll<HTMLElement>("button, nav a")];
          target.find(({ textContent }) => textContent === press)?.click();
        },
        [value, press] as const,
      );
    await changeAnd("5", "Copy the link to this view");
    await page.getByText("Copied").waitFor();
    expect(await page.evaluate(async () => await navigator.clipboard.readText())).toMatch(/#layer\?W=5$/);
    await changeAnd("9", "Benchmark");
    await page.locator("h1", { hasText: "Benchmark" }).waitFor();
    await page.goBack();
    await page.locator("h1", { hasText: PARTS[0].title }).waitFor();
    expect(await slider.inputValue()).toBe("9");
    expect(demo.errors).toEqual([]);
  });
});

describe("the engine's life", () => {
  test("without WebGPU the page says so and goes on with the CPU", async () => {
    await using demo = await openDemo(browser, "layer", { withoutWebGpu: true });
    const { page } = demo;
    const alert = page.getByRole("alert").filter({ hasText: "No WebGPU here" });
    await alert.waitFor();
    // What a programmer would do is nothing for a visitor.
    expect(await alert.textContent()).not.toContain("createEngine");
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

  test("WebGPU without a device is not taken for none", async () => {
    await using demo = await openDemo(browser);
    const { page } = demo;
    await untilReady(page);
    await page.addInitScript(() => {
      GPU.prototype.requestAdapter = async () => await Promise.resolve(null);
    });
    await page.reload();
    const alert = page.getByRole("alert").filter({ hasText: "No device for WebGPU" });
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/no adapter/);
    expect(await alert.textContent()).not.toContain("createEngine");
    expect(demo.errors).toEqual([]);
  });

  test("what cannot be loaded is not taken for a browser without WebGPU", async () => {
    await using demo = await openDemo(browser);
    const { page } = demo;
    await untilReady(page);
    const [script] = demo.requests.filter((url) => /\/src-[^/]+\.js$/.test(url));
    await page.route(script, async (route) => await route.abort());
    await page.reload();
    await page.getByRole("alert").filter({ hasText: "The engine could not be loaded" }).waitFor();
    expect(await page.getByText("No WebGPU").count()).toBe(0);
  });

  test.each(PARTS)("#$id runs in browsers without what not all of them have", async ({ id }) => {
    const settings: Record<string, string> = {
      maps: "source=camera&filters=drawn",
      benchmark: "layer=own&W=12&rounds=3",
    };
    await using demo = await openDemo(browser, `${id}?${settings[id] ?? ""}`, { withoutNovelties: true });
    const { page } = demo;
    await page.locator("footer", { hasText: "Runs on unnamed WebGPU adapter" }).waitFor();
    if (id === "layer") await page.locator(".stage").waitFor();
    if (id === "maps") await page.getByText(/frames a second/).waitFor({ timeout: 60_000 });
    if (id === "small") await page.locator(".heat-map").first().waitFor({ timeout: 60_000 });
    if (id === "benchmark") {
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await page.locator(".benchmark-pass").first().waitFor({ timeout: 90_000 });
    }
    expect(demo.errors).toEqual([]);
  });

  test.each(["layer", "maps"])("what fails in #%s is shown in its place, and can be tried again", async (id) => {
    await using demo = await openDemo(browser, "benchmark");
    const { page } = demo;
    await untilReady(page);
    await page.evaluate(() => {
      const prototype = GPUDevice.prototype as Partial<GPUDevice>;
      const own = Object.getOwnPropertyDescriptor(prototype, "createBuffer") ?? {};
      prototype.createBuffer = () => {
        throw new Error("no more buffers");
      };
      Object.assign(globalThis, { mend: () => Object.defineProperty(prototype, "createBuffer", own) });
    });
    await page.locator(`nav a[href^="#${id}"]`).click();
    await page
      .getByRole("alert")
      .filter({ hasText: "This part stopped" })
      .filter({ hasText: "no more buffers" })
      .waitFor();
    await page.evaluate(() => {
      (globalThis as unknown as { readonly mend: () => void }).mend();
    });
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("alert").waitFor({ state: "detached" });
    await page.locator(id === "layer" ? ".stage" : ".maps-grid").waitFor();
    expect(demo.errors).toEqual([]);
  });

  test("what fails and is no longer waited for does not replace what came after it", async () => {
    await using demo = await openDemo(browser, "layer");
    const { page } = demo;
    const shown = page.locator(".layer-stage[data-stale=false] .stage");
    await shown.waitFor();
    await page.evaluate(() => {
      // A failure is shown once it is known that the device was not lost: that is held back here.
      const later = setTimeout.bind(globalThis);
      const held: (() => void)[] = [];
      globalThis.setTimeout = ((run: () => void, milliseconds?: number) =>
        milliseconds === 300 ? held.push(run) : later(run, milliseconds)) as typeof setTimeout;
      const prototype = GPUDevice.prototype as Partial<GPUDevice>;
      const own = Object.getOwnPropertyDescriptor(prototype, "createCommandEncoder") ?? {};
      prototype.createCommandEncoder = () => {
        throw new Error("no encoder");
      };
      Object.assign(globalThis, {
        held,
        mend: () => Object.defineProperty(prototype, "createCommandEncoder", own),
      });
    });
    const slider = page.getByRole("slider", { name: "Input size" });
    await slider.fill("8");
    await page.waitForFunction(() => (globalThis as unknown as { readonly held: readonly unknown[] }).held.length > 0);
    await page.evaluate(() => {
      (globalThis as unknown as { readonly mend: () => void }).mend();
    });
    await slider.fill("9");
    await shown.waitFor();
    await page.evaluate(async () => {
      const { held } = globalThis as unknown as { readonly held: readonly (() => void)[] };
      for (const run of held) run();
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(await page.locator(".stage").count()).toBe(1);
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

  test("all scripts together weigh less than 190 kB", () => {
    const folder = join(inject("demoFolder"), "assets");
    const scripts = readdirSync(folder).filter((file) => file.endsWith(".js"));
    const bytes = scripts.reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0);
    console.log(`the page's scripts: ${(bytes / KILOBYTE).toFixed(1)} kB gzip`);
    expect(scripts.length).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(190 * KILOBYTE);
  });
});
