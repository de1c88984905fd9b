/** Opens the demo page as a visitor would, and watches what goes wrong in it. */
import { resolve } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright";
import { inject } from "vitest";

/** Kept to be looked at. */
const SCREENSHOTS = resolve(import.meta.dirname, "../../../out/demo-screenshots");

export interface OpenOptions extends BrowserContextOptions {
  /** As a browser without WebGPU. */
  readonly withoutWebGpu?: boolean;
}

export interface DemoPage extends AsyncDisposable {
  readonly page: Page;
  /** What the page reported: exceptions, console errors, violations of its own policy. */
  readonly errors: readonly string[];
  /** Addresses asked for. */
  readonly requests: readonly string[];
}

/** Where the page is, with a part and its settings: "layer?F=5". */
export const demoUrl = (link = ""): string => `${inject("demoUrl")}${link === "" ? "" : `#${link}`}`;

/** The browser of all tests; one connection a file is enough. Close it afterwards. */
export const connect = async (): Promise<Browser> => await chromium.connect(inject("browserEndpoint"));

export async function openDemo(
  browser: Browser,
  link = "",
  { withoutWebGpu = false, ...options }: OpenOptions = {},
): Promise<DemoPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-US", ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  const requests: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("request", (request) => requests.push(request.url()));
  await page.addInitScript(rememberDevices);
  if (withoutWebGpu) await page.addInitScript(removeWebGpu);
  await page.goto(demoUrl(link));
  return { page, errors, requests, [Symbol.asyncDispose]: async () => await context.close() };
}

/** Runs in the page, before it: keeps the devices that are made, so that {@link loseDevice} finds them. */
function rememberDevices(): void {
  if (!("GPUAdapter" in globalThis)) return;
  const made: GPUDevice[] = [];
  Object.assign(globalThis, { devicesMade: made });
  GPUAdapter.prototype.requestDevice = new Proxy(Reflect.get(GPUAdapter.prototype, "requestDevice"), {
    apply: async (original, adapter, parameters) => {
      const device = (await Reflect.apply(original, adapter, parameters)) as GPUDevice;
      made.push(device);
      return device;
    },
  });
}

/** Runs in the page, before it. */
function removeWebGpu(): void {
  Object.defineProperty(Navigator.prototype, "gpu", { value: undefined });
}

/** Takes the page's device away, as a browser does when a driver resets. */
export async function loseDevice(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { devicesMade } = globalThis as { readonly devicesMade?: readonly GPUDevice[] };
    for (const device of devicesMade ?? []) device.destroy();
  });
}

/** Keeps a picture of the whole page. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: resolve(SCREENSHOTS, `${name}.png`), fullPage: true });
}
