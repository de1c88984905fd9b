/** The page around the parts: the engine's life, from browsers without WebGPU to a device that is lost. */
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, loseDevice, openDemo, PARTS, screenshot, untilReady } from "./support/demoPage.js";

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

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
