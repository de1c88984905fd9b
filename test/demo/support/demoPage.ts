/** Opens the demo page as a visitor would, and watches what goes wrong in it. */
import { resolve } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright";
import { inject } from "vitest";

/** Pictures are kept there to be looked at. */
export const SCREENSHOTS = resolve(import.meta.dirname, "../../../out/demo-screenshots");

export interface OpenOptions extends BrowserContextOptions {
  /** As a browser without WebGPU. */
  readonly withoutWebGpu?: boolean;
  /** As a browser with WebGPU, but without what not all of those have. */
  readonly withoutNovelties?: boolean;
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
  { withoutWebGpu = false, withoutNovelties = false, ...options }: OpenOptions = {},
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
  if (withoutNovelties) await page.addInitScript(removeNovelties);
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

/** Runs in the page, before it. */
function removeNovelties(): void {
  const missing = ["dispose", "asyncDispose"];
  // Symbol's own properties cannot be deleted: another function takes its place.
  const symbol = (description?: string): symbol => Original(description);
  const Original = Symbol;
  for (const name of Object.getOwnPropertyNames(Original)) {
    if (missing.includes(name) || ["length", "name"].includes(name)) continue;
    Object.defineProperty(symbol, name, { value: Reflect.get(Original, name) as unknown });
  }
  Object.assign(globalThis, { Symbol: symbol, SuppressedError: undefined, DisposableStack: undefined });
  if (!("GPUDevice" in globalThis)) return;
  Object.defineProperty(GPUDevice.prototype, "adapterInfo", { value: undefined });
  GPUQueue.prototype.copyExternalImageToTexture = new Proxy(
    Reflect.get(GPUQueue.prototype, "copyExternalImageToTexture"),
    {
      apply: (original, queue, parameters: Parameters<GPUQueue["copyExternalImageToTexture"]>): undefined => {
        if (parameters[0].source instanceof HTMLVideoElement) throw new TypeError("'source' could not be converted");
        Reflect.apply(original, queue, parameters);
      },
    },
  );
}

/** Takes the page's device away, as a browser does when a driver resets. */
export async function loseDevice(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { devicesMade } = globalThis as { readonly devicesMade?: readonly GPUDevice[] };
    for (const device of devicesMade ?? []) device.destroy();
  });
}

/** Puts the page into the background, as another tab in front of it does, or brings it back. */
export async function setHidden(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

/** Milliseconds after which a visitor notices that nothing happens, by the RAIL model. */
export const UNNOTICED = 100;

/** For tests that take the time of the machine, which may be busy with something else: what is slow is slow each time. */
export const TIMED = { retry: 2 };

/** What of an event of a browser's trace is used here. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Of its thread's own time on the processor, in microseconds. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/**
 * Does something, and gives the milliseconds of the longest task of a page's thread meanwhile, for which a page cannot react.
 * They are those that the thread computed: what else the machine does has no part in them.
 */
export async function longestBlock(page: Page, work: () => Promise<void>): Promise<number> {
  const browser = page.context().browser();
  if (!browser) throw new Error("the page has no browser");
  /** A task is in the trace once it is over, and the next one has begun. */
  const nextTasks = async (): Promise<void> =>
    await page.evaluate(async () => {
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    });
  await browser.startTracing(page, { categories: ["toplevel"] });
  let trace: Buffer | undefined;
  try {
    await nextTasks();
    await work();
    await nextTasks();
  } finally {
    trace = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { readonly traceEvents: readonly TraceEvent[] };
  const threadOf = ({ pid, tid }: TraceEvent): string => `${String(pid)} ${String(tid)}`;
  const isPage = ({ name, args }: TraceEvent): boolean => name === "thread_name" && args?.name === "CrRendererMain";
  const pages = new Set(traceEvents.filter(isPage).map(threadOf));
  const times = traceEvents.flatMap((event) => (pages.has(threadOf(event)) ? (event.tdur ?? []) : []));
  if (times.length === 0) throw new Error("the trace shows nothing of the page");
  return times.reduce((most, time) => Math.max(most, time), 0) / 1000;
}

/** Keeps a picture of the whole page. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: resolve(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** The parts of the page. */
export const PARTS = [
  { id: "layer", title: "The layer, step by step" },
  { id: "maps", title: "Activation maps, live" },
  { id: "small", title: "The power of small filters" },
  { id: "benchmark", title: "Benchmark" },
];

/** Waits until the page has an engine and has loaded the part. */
export async function untilReady(page: Page): Promise<void> {
  await page.locator("footer", { hasText: "Runs on" }).waitFor();
  await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
}
