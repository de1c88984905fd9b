/** The page around the parts: what its links show, and what goes into them. */
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, openDemo, PARTS, untilReady } from "./support/demoPage.js";

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

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
