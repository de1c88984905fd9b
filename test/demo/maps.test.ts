/** Activation maps, as a visitor would use them; what is said of a place against the CPU reference. */
import { encode } from "fast-png";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forward, makeProblem } from "webgpu-conv/reference";
import { bankTensors, FILTERS } from "../../examples/filters/filterBank.js";
import { findSerious } from "./support/axe.js";
import { connect, longestBlock, openDemo, screenshot, setHidden, TIMED, UNNOTICED } from "./support/demoPage.js";

let browser: Browser;
beforeAll(async () => {
  browser = await connect();
});
afterAll(async () => await browser.close());

const [WIDTH, HEIGHT] = [240, 160];

/** A picture of the maps' own size, so that nothing is scaled: a bright disc on a slope. */
function makePicture() {
  const data = new Uint8Array(3 * WIDTH * HEIGHT);
  for (let i = 0; i < WIDTH * HEIGHT; i++) {
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    const inside = (x - 120) ** 2 + (y - 80) ** 2 < 40 ** 2;
    data.set(inside ? [230, 180, 40] : [x, y, 90], 3 * i);
  }
  return {
    data,
    file: {
      name: "disc.png",
      mimeType: "image/png",
      buffer: Buffer.from(encode({ width: WIDTH, height: HEIGHT, channels: 3, data })),
    },
  };
}

/** What every filter of the bank answers. */
function answers(data: Uint8Array): Float64Array {
  const { weight, weightShape, bias } = bankTensors(FILTERS);
  const planes = Float32Array.from({ length: data.length }, (_, i) => {
    const [channel, position] = [Math.floor(i / (WIDTH * HEIGHT)), i % (WIDTH * HEIGHT)];
    return data[3 * position + channel] / 255;
  });
  const problem = makeProblem(2, [1, 3, HEIGHT, WIDTH], weightShape, { padding: 2 });
  return forward(problem, planes, weight, { bias });
}

const mapOf = (page: Page, name: string) => page.getByRole("application", { name: `Map of ${name}:` });

async function untilDrawn(page: Page): Promise<void> {
  await page.getByText(/ms for the layer on/).waitFor({ timeout: 60_000 });
}

/** What the page says of places on two maps, against the reference. */
async function expectReference(page: Page, data: Uint8Array): Promise<void> {
  const expected = answers(data);
  for (const [filter, name] of [
    [0, "sobel-x"],
    [5, "sharpen"],
  ] as const) {
    const box = await mapOf(page, name).boundingBox();
    if (!box) throw new Error("no map");
    await mapOf(page, name).hover({ position: { x: box.width * 0.67, y: box.height * 0.4 } });
    const said = page.locator(".maps-inspected");
    await expect.poll(async () => await said.textContent()).toContain(name);
    await expect
      .poll(async () => {
        const [, x, y, value] = /at \((\d+), (\d+)\): (-?[\d.]+)\./.exec((await said.textContent()) ?? "") ?? [];
        return Number(value) - expected[(filter * HEIGHT + Number(y)) * WIDTH + Number(x)];
      })
      .toBeCloseTo(0, 3);
  }
}

/** Whether a map drawn without WebGPU shows anything. */
const isDrawn = async (page: Page, name: string): Promise<boolean> =>
  await mapOf(page, name)
    .locator("canvas")
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
      return data.some((value) => value > 0);
    });

/** The states of the cameras that the page opened, in their order. */
const cameras = async (page: Page): Promise<string[]> =>
  await page.evaluate(() => {
    const { opened } = globalThis as unknown as { readonly opened: readonly MediaStreamTrack[] };
    return opened.map(({ readyState }) => readyState);
  });

/** Runs in the page: keeps the cameras that are opened. */
function rememberCameras(): void {
  const opened: MediaStreamTrack[] = [];
  Object.assign(globalThis, { opened });
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (constraints) => {
    const stream = await open(constraints);
    opened.push(...stream.getTracks());
    return stream;
  };
}

describe("activation maps", () => {
  test("of a picture of one's own; a place on a map says what the reference says", async () => {
    await using demo = await openDemo(browser, "maps");
    const { page } = demo;
    await untilDrawn(page);
    const { data, file } = makePicture();
    await page.getByLabel(/Picture of your own/).setInputFiles(file);
    await expectReference(page, data);
    await screenshot(page, "maps");
    expect(await findSerious(page)).toEqual([]);
    expect(demo.errors).toEqual([]);
  });

  test("are drawn, and move with the arrow keys", async () => {
    await using demo = await openDemo(browser, "maps?filters=random&K=3");
    const { page } = demo;
    await untilDrawn(page);
    await expect.poll(async () => await page.getByRole("application").count()).toBe(3);
    const map = mapOf(page, "random 1");
    await map.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Shift+ArrowDown");
    await page.getByText("at (121, 90)").waitFor();
    await page.getByRole("button", { name: "Others" }).click();
    await page.waitForURL(/seed=2/);
    expect(demo.errors).toEqual([]);
  });

  test("of a filter drawn by hand, which the link keeps", async () => {
    await using demo = await openDemo(browser, "maps?filters=drawn");
    const { page } = demo;
    await untilDrawn(page);
    await page.getByRole("spinbutton", { name: "Row 3, column 3" }).fill("4");
    await page.waitForURL(/taps=12/);
    await page.reload();
    expect(await page.getByRole("spinbutton", { name: "Row 3, column 3" }).inputValue()).toBe("4");
    await mapOf(page, "drawn").focus();
    await page.getByText(/Most comes from row 3, column 3 of the filter/).waitFor();
    expect(demo.errors).toEqual([]);
  });

  test("of a picture that is dropped", async () => {
    await using demo = await openDemo(browser, "maps?source=camera");
    const { page } = demo;
    await untilDrawn(page);
    const { data, file } = makePicture();
    const dataTransfer = await page.evaluateHandle(
      ({ bytes, name, type }) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(bytes)], name, { type }));
        return transfer;
      },
      { bytes: [...file.buffer], name: file.name, type: file.mimeType },
    );
    await page.dispatchEvent(".maps-part", "dragover", { dataTransfer });
    await page.dispatchEvent(".maps-part", "drop", { dataTransfer });
    // The picture takes the camera's place.
    await expect.poll(async () => await page.getByRole("combobox", { name: "Source" }).inputValue()).toBe("picture");
    await expectReference(page, data);
    expect(demo.errors).toEqual([]);
  });

  test("of the camera, frame after frame, while it is looked at", async () => {
    await using demo = await openDemo(browser, "maps?filters=drawn");
    const { page } = demo;
    await untilDrawn(page);
    await page.evaluate(rememberCameras);
    expect(await cameras(page)).toEqual([]);
    await page.getByRole("combobox", { name: "Source" }).selectOption("camera");
    await page.getByText(/\d frames a second, [\d.]+ ms for the layer on/).waitFor({ timeout: 60_000 });
    const before = await mapOf(page, "drawn").screenshot();
    // The pattern moves.
    await expect
      .poll(async () => before.equals(await mapOf(page, "drawn").screenshot()), { timeout: 30_000 })
      .toBe(false);
    await mapOf(page, "drawn").focus();
    // The middle of a frame, which is drawn as it comes.
    await page.getByText(/drawn at \(160, 120\): -?[\d.]+\. (?:Most comes from|What its parts|No part)/).waitFor();
    const { width = 0, height = 0 } = (await mapOf(page, "drawn").locator("canvas").boundingBox()) ?? {};
    expect(width / height).toBeCloseTo(320 / 240, 1);
    await screenshot(page, "maps-camera");
    expect(await findSerious(page)).toEqual([]);
    expect(await cameras(page)).toEqual(["live"]);
    // In the background the camera is off, and on again when the page is back.
    await setHidden(page, true);
    await expect.poll(async () => await cameras(page)).toEqual(["ended"]);
    await setHidden(page, false);
    await expect.poll(async () => await cameras(page)).toEqual(["ended", "live"]);
    await page.getByRole("combobox", { name: "Source" }).selectOption("picture");
    await expect.poll(async () => await cameras(page)).toEqual(["ended", "ended"]);
    expect(demo.errors).toEqual([]);
  });

  test("say that there is no camera, and go on with the picture", async () => {
    await using demo = await openDemo(browser, "maps");
    const { page } = demo;
    await untilDrawn(page);
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = async () => await Promise.reject(new Error("none found"));
    });
    await page.getByRole("combobox", { name: "Source" }).selectOption("camera");
    await page.getByRole("alert").filter({ hasText: "The camera cannot be used: none found" }).waitFor();
    await untilDrawn(page);
    await page.getByRole("combobox", { name: "Source" }).selectOption("picture");
    await page.getByRole("alert").waitFor({ state: "detached" });
    expect(demo.errors).toEqual([]);
  });

  test("leave no camera open that cannot be played", async () => {
    await using demo = await openDemo(browser, "maps");
    const { page } = demo;
    await untilDrawn(page);
    await page.evaluate(rememberCameras);
    await page.evaluate(() => {
      HTMLVideoElement.prototype.play = async () => await Promise.reject(new Error("not now"));
    });
    await page.getByRole("combobox", { name: "Source" }).selectOption("camera");
    await page.getByRole("alert").filter({ hasText: "The camera cannot be used: not now" }).waitFor();
    expect(await cameras(page)).toEqual(["ended"]);
    expect(demo.errors).toEqual([]);
  });

  test("are of the picture chosen last, whichever is read first", async () => {
    await using demo = await openDemo(browser, "maps");
    const { page } = demo;
    await untilDrawn(page);
    await page.evaluate(() => {
      const read = createImageBitmap;
      const slow = new Promise<void>((resolve) => Object.assign(globalThis, { readSlowOne: resolve }));
      globalThis.createImageBitmap = async (source: ImageBitmapSource) => {
        if (source instanceof File && source.name === "slow.png") await slow;
        return await read(source);
      };
    });
    const { data, file } = makePicture();
    const black = encode({ width: 8, height: 8, channels: 3, data: new Uint8Array(3 * 64) });
    const field = page.getByLabel(/Picture of your own/);
    await field.setInputFiles({ name: "slow.png", mimeType: "image/png", buffer: Buffer.from(black) });
    await field.setInputFiles(file);
    await expectReference(page, data);
    await page.evaluate(async () => {
      (globalThis as unknown as { readonly readSlowOne: () => void }).readSlowOne();
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
    await expectReference(page, data);
    expect(demo.errors).toEqual([]);
  });

  test("say what is no picture", async () => {
    await using demo = await openDemo(browser, "maps");
    const { page } = demo;
    await page
      .getByLabel(/Picture of your own/)
      .setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("no") });
    await page.getByRole("alert").filter({ hasText: "no picture" }).waitFor();
  });

  test("without WebGPU come from the CPU, on a phone too", TIMED, async () => {
    const viewport = { width: 360, height: 800 };
    await using demo = await openDemo(browser, "maps", { withoutWebGpu: true, viewport, colorScheme: "dark" });
    const { page } = demo;
    await page.getByRole("button", { name: /CPU/ }).click();
    await untilDrawn(page);
    // As many filters as there can be, one after the other.
    const blocked = await longestBlock(page, async () => {
      await page.getByRole("combobox", { name: "Filters" }).selectOption("random");
      await page.getByRole("slider", { name: "Filters" }).fill("16");
      await expect.poll(async () => await page.getByRole("application").count()).toBe(16);
      await expect.poll(async () => await isDrawn(page, "random 16"), { timeout: 30_000 }).toBe(true);
    });
    expect(blocked).toBeLessThan(UNNOTICED);
    await screenshot(page, "maps-phone-dark");
    expect(await findSerious(page)).toEqual([]);
    expect(demo.errors).toEqual([]);
  });
});
