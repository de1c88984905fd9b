/** The power of small filters, as a visitor would use it; counts and gradients against the formulas and the reference. */
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "webgpu-conv";
import { effectiveField } from "../../examples/demo/parts/small/effectiveField.js";
import { extentOf, NETWORKS } from "../../examples/demo/parts/small/fieldSize.js";
import { median } from "../../examples/benchmark/statistics.js";
import { measureStacks, type StackRun } from "../../examples/demo/parts/small/measure.js";
import type { ComparisonName } from "../../examples/demo/parts/small/part.js";
import { comparisonOf, countStack } from "../../examples/demo/parts/small/stacks.js";
import { findSerious } from "./support/axe.js";
import { connect, longestBlock, loseDevice, openDemo, screenshot, TIMED, UNNOTICED } from "./support/demoPage.js";

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

/** The values of a row of the comparison, one a stack. */
async function readRow(page: Page, name: string): Promise<string[]> {
  return await page.getByRole("row").filter({ hasText: name }).locator(".counts-value").allTextContents();
}

async function untilFieldsShown(page: Page, count: number): Promise<void> {
  await expect.poll(async () => await page.locator(".heat-map").count(), { timeout: 60_000 }).toBe(count);
}

describe("counts", () => {
  test.each([
    { compare: "seven", fields: ["7 × 7", "7 × 7"], weights: ["50,176", "27,648"] },
    { compare: "five", fields: ["5 × 5", "5 × 5"], weights: ["25,600", "18,432"] },
    { compare: "dilated", fields: ["15 × 15", "7 × 7", "15 × 15"], weights: ["230,400", "27,648", "27,648"] },
    { compare: "bottleneck", fields: ["3 × 3", "3 × 3"], weights: ["589,824", "69,632"] },
  ])("of $compare", async ({ compare, fields, weights }) => {
    await using demo = await openDemo(browser, "small?W=14");
    const { page } = demo;
    await page.getByRole("combobox", { name: "Compare" }).selectOption(compare);
    await expect.poll(async () => await readRow(page, "Receptive field")).toEqual(fields);
    expect(await readRow(page, "Weights")).toEqual(weights);
    const multiplyAdds = weights.map((text) => (Number(text.replaceAll(",", "")) * 14 * 14).toLocaleString("en"));
    expect(await readRow(page, "Multiply-adds")).toEqual(multiplyAdds);
    expect(demo.errors).toEqual([]);
  });

  test("follow the sizes, which the link keeps", async () => {
    await using demo = await openDemo(browser, "small");
    const { page } = demo;
    await page.getByRole("combobox", { name: "Channels" }).selectOption("16");
    await page.getByRole("combobox", { name: "Height and width" }).selectOption("14");
    await expect.poll(async () => await readRow(page, "Weights")).toEqual(["12,544", "6,912"]);
    await page.waitForURL(/small\?C=16&W=14/);
    await page.reload();
    await expect.poll(async () => await readRow(page, "Multiply-adds")).toEqual(["2,458,624", "1,354,752"]);
  });
});

describe("times", () => {
  test("are measured side by side, and can be measured anew", async () => {
    await using demo = await openDemo(browser, "small?C=16&W=14&rounds=3");
    const { page } = demo;
    await untilFieldsShown(page, 2);
    const button = page.getByRole("button", { name: "Measure on this device" });
    await button.click();
    await page.getByText("Median of 3 rounds").waitFor({ timeout: 90_000 });
    for (const name of ["Forward, measured", "Forward and backward, measured"]) {
      const milliseconds = (await readRow(page, name)).map((text) => Number(text.replace(" ms", "")));
      expect(milliseconds).toHaveLength(2);
      expect(Math.min(...milliseconds)).toBeGreaterThan(0);
    }
    expect(await button.isEnabled()).toBe(true);
    await screenshot(page, "small-measured");
    expect(demo.errors).toEqual([]);
  });

  test("can be cancelled", async () => {
    await using demo = await openDemo(browser, "small?C=64&W=56&rounds=31");
    const { page } = demo;
    await untilFieldsShown(page, 2);
    await page.getByRole("button", { name: "Measure on this device" }).click();
    await page.getByRole("progressbar", { name: "Measuring" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("progressbar").waitFor({ state: "detached", timeout: 90_000 });
    expect(await readRow(page, "Forward, measured")).toEqual([]);
    expect(await page.getByRole("button", { name: "Measure on this device" }).isEnabled()).toBe(true);
    expect(demo.errors).toEqual([]);
  });

  test("end with the device, and go on with another", async () => {
    await using demo = await openDemo(browser, "small?C=16&W=14&rounds=31");
    const { page } = demo;
    await untilFieldsShown(page, 2);
    await page.getByRole("button", { name: "Measure on this device" }).click();
    await page.getByRole("progressbar", { name: "Measuring" }).waitFor();
    await loseDevice(page);
    await page.getByRole("button", { name: "Go on with a new device" }).click();
    await untilFieldsShown(page, 2);
    expect(await page.getByRole("combobox", { name: "Channels" }).inputValue()).toBe("16");
  });

  test("the median of rounds", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});

describe("effective receptive fields", () => {
  test.each(["seven", "dilated", "bottleneck"] as const)("of %s are the reference's", async (compare) => {
    await using demo = await openDemo(browser, `small?compare=${compare}&seed=3`);
    const { page } = demo;
    const comparison = comparisonOf(compare, 32);
    await untilFieldsShown(page, comparison.stacks.length);
    await page.getByText("The same in numbers").click();
    const rows = await page.getByRole("region", { name: "in numbers" }).getByRole("row").allInnerTexts();
    const shown = rows.slice(1).map((row) => row.split(/\s+/).slice(1).map(Number));

    using engine = await createEngine({ backend: "cpu" });
    const extent = extentOf(comparison);
    const onPass = async (): Promise<void> => await Promise.resolve();
    for (const [i, stack] of comparison.stacks.entries()) {
      const field = await effectiveField(engine, stack, { extent, networks: NETWORKS, seed: 3, onPass });
      const start = ((extent - 1) / 2) * extent;
      const middle = field.values.slice(start, start + extent);
      // Three decimals are shown; float32 errs by far less than half of the last.
      for (const [at, value] of middle.entries()) expect(Math.abs(shown[at][i] - value)).toBeLessThan(0.0011);
      expect(await page.locator(`[data-effective="${stack.name}"]`).textContent()).toBe(
        `${String(field.effective)} × ${String(field.effective)}`,
      );
    }
    await screenshot(page, `small-fields-${compare}`);
    expect(demo.errors).toEqual([]);
  });

  test("nothing lies outside the theoretical field, and a stack sees mostly its middle", async () => {
    using engine = await createEngine({ backend: "cpu" });
    const [single, stacked] = comparisonOf("seven", 32).stacks;
    const options = { extent: 11, networks: 64, seed: 1, onPass: async () => await Promise.resolve() };
    const fields = await Promise.all(
      [single, stacked].map(async (stack) => await effectiveField(engine, stack, options)),
    );
    for (const { values } of fields) {
      const outside = values.filter((_, i) => Math.max(Math.abs(Math.floor(i / 11) - 5), Math.abs((i % 11) - 5)) > 3);
      expect(outside.every((value) => value === 0)).toBe(true);
    }
    expect(fields[0].effective).toBe(7);
    expect(fields[1].effective).toBeLessThan(7);
  });
});

describe("what is said of a comparison", () => {
  const fieldsOf = async (compare: ComparisonName) => {
    using engine = await createEngine({ backend: "cpu" });
    const comparison = comparisonOf(compare, 32);
    const options = {
      extent: extentOf(comparison),
      networks: 64,
      seed: 1,
      onPass: async () => await Promise.resolve(),
    };
    const stacks = comparison.stacks.map(async (stack) => {
      const { effective, values, extent } = await effectiveField(engine, stack, options);
      return { effective, values, extent, counts: countStack(stack, 28) };
    });
    return { comparison, stacks: await Promise.all(stacks) };
  };

  /** The part of the squared gradient at the edge of the field. */
  function rimShare({ values, extent, counts }: Awaited<ReturnType<typeof fieldsOf>>["stacks"][number]): number {
    const middle = (extent - 1) / 2;
    const isRim = (i: number): boolean =>
      Math.max(Math.abs(Math.floor(i / extent) - middle), Math.abs((i % extent) - middle)) ===
      (counts.receptiveField - 1) / 2;
    const sum = (included: (i: number) => boolean): number =>
      values.reduce((total, value, i) => (included(i) ? total + value * value : total), 0);
    return sum(isRim) / sum(() => true);
  }

  test.each(["seven", "five"] as const)("%s: as far, but the rim less strongly", async (compare) => {
    const { comparison, stacks } = await fieldsOf(compare);
    const [single, stacked] = stacks;
    expect(comparison.seen).toMatch(/see as far as one \d×\d, but its rim less strongly\.$/);
    expect(stacked.counts.receptiveField).toBe(single.counts.receptiveField);
    expect(rimShare(stacked)).toBeLessThan((2 / 3) * rimShare(single));
    const perPair = [stacked, single].map(({ counts }) => counts.weights / 32 ** 2);
    expect(comparison.point).toContain(`${String(perPair[0])} in place of ${String(perPair[1])} weights`);
    const more = comparison.stacks[1].layers.length - comparison.stacks[0].layers.length;
    expect(comparison.point).toContain(["", "one more activation", "two more activations"][more]);
  });

  test("dilated: three 3×3 see less than half as far, and as far with dilation", async () => {
    const { comparison, stacks } = await fieldsOf("dilated");
    const [single, plain, dilated] = stacks.map(({ counts }) => counts.receptiveField);
    expect(comparison.seen).toContain("less than half as far as one 15×15");
    expect([2 * plain < single, dilated]).toEqual([true, single]);
    expect(comparison.point).toContain(`three 3×3 see ${String(plain)}×${String(plain)}`);
    expect(rimShare(stacks[2])).toBeLessThan((2 / 3) * rimShare(stacks[0]));
    expect(stacks[2].counts.weights).toBe(stacks[1].counts.weights);
  });

  test("bottleneck: it sees what its 3×3 does", async () => {
    const { stacks } = await fieldsOf("bottleneck");
    expect(stacks.map(({ counts }) => counts.receptiveField)).toEqual([3, 3]);
  });

  test("the share is of the squared gradient, and the square the smallest that holds it", async () => {
    const { stacks } = await fieldsOf("seven");
    for (const { effective, values, extent } of stacks) {
      const middle = (extent - 1) / 2;
      const within = (side: number): number =>
        values.reduce((sum, value, i) => {
          const away = Math.max(Math.abs(Math.floor(i / extent) - middle), Math.abs((i % extent) - middle));
          return away <= (side - 1) / 2 ? sum + value * value : sum;
        }, 0);
      expect(within(effective) / within(extent)).toBeGreaterThanOrEqual(0.8);
      expect(within(effective - 2) / within(extent)).toBeLessThan(0.8);
    }
  });
});

describe("timing stacks", () => {
  /** Work on a clock of its own, in steps as a browser's timestamps: nothing of it is the wall clock's but what shows none. */
  function fakeStack(milliseconds: number) {
    const calls: { readonly withGradients: boolean; readonly repeats: number }[] = [];
    const run: StackRun = {
      samples: { leastSampleMs: 20, mostRepeats: 2000 },
      time: async (withGradients, repeats) => {
        calls.push({ withGradients, repeats });
        const seen = Math.floor((milliseconds * repeats * (withGradients ? 3 : 1)) / 0.1) * 0.1;
        return await Promise.resolve({
          milliseconds: seen > 0 ? seen : 2,
          clock: seen > 0 ? "timestamp" : "wall-clock",
        });
      },
      [Symbol.dispose]: () => undefined,
    };
    return { run, calls };
  }

  test("in turns, in samples that a coarse clock can tell", async () => {
    const stacks = [fakeStack(0.017), fakeStack(30)];
    const controls = { report: () => undefined, pause: async () => await Promise.resolve() };
    const times = await measureStacks(
      stacks.map(({ run }) => run),
      3,
      controls,
    );
    expect(times.clock).toBe("timestamp");
    expect(times.stacks[0].forward / 0.017).toBeCloseTo(1, 1.5);
    expect(times.stacks[0].both / 0.051).toBeCloseTo(1, 1.5);
    expect(times.stacks[1]).toMatchObject({ forward: 30, both: 90 });
    expect(stacks[1].calls.every(({ repeats }) => repeats === 1)).toBe(true);
  });

  test("shows nothing to who cancelled, at the last moment too", async () => {
    const { run } = fakeStack(30);
    let pauses = 0;
    const pause = async (): Promise<void> =>
      await (++pauses > 10 ? Promise.reject(new Error("cancelled")) : Promise.resolve());
    await expect(measureStacks([run], 3, { report: () => undefined, pause })).rejects.toThrow("cancelled");
    expect(pauses).toBe(11);
  });
});

test("axe finds nothing serious with everything shown, in the dark and on a phone", async () => {
  await using demo = await openDemo(browser, "small?compare=dilated", {
    colorScheme: "dark",
    viewport: { width: 360, height: 740 },
  });
  const { page } = demo;
  await untilFieldsShown(page, 3);
  await page.getByText("The same in numbers").click();
  await screenshot(page, "dark-phone-small");
  expect(await findSerious(page)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
});

test("effective receptive fields leave the page free on the CPU too", TIMED, async () => {
  await using demo = await openDemo(browser, "small?backend=cpu&compare=dilated", { withoutWebGpu: true });
  const { page } = demo;
  await untilFieldsShown(page, 3);
  await page.getByRole("progressbar").waitFor({ state: "detached", timeout: 60_000 });
  const blocked = await longestBlock(page, async () => {
    await page.getByRole("button", { name: "Other weights" }).click();
    await page.getByRole("progressbar").waitFor();
    await page.getByRole("progressbar").waitFor({ state: "detached", timeout: 60_000 });
  });
  expect(blocked).toBeLessThan(UNNOTICED);
  expect(demo.errors).toEqual([]);
});

test("it runs on the CPU as well", TIMED, async () => {
  await using demo = await openDemo(browser, "small?backend=cpu&C=64&W=28&rounds=3", { withoutWebGpu: true });
  const { page } = demo;
  await untilFieldsShown(page, 2);
  // It takes a second, in a worker: the page stays free.
  const blocked = await longestBlock(page, async () => {
    await page.getByRole("button", { name: "Measure on this device" }).click();
    await page.getByText("Median of 3 rounds").waitFor({ timeout: 90_000 });
  });
  expect(blocked).toBeLessThan(UNNOTICED);
  // Smaller there.
  expect(await readRow(page, "Multiply-adds")).toEqual(["39,337,984", "21,676,032"]);
  expect(demo.errors).toEqual([]);
});
