/** The benchmark in a page of a headless Chromium: the place that all these engines were made for. */
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type Page } from "playwright";
import { createServer } from "vite";
import { chromiumLaunchOptions } from "../../../../test/support/chromium.js";
import type { Bench, Opened, Task } from "../bench.js";
import type { Row } from "../row.js";
import type { TrainingTask } from "../training/measure.js";
import type { TrainingRow } from "../training/row.js";
import type { Host } from "./host.js";
import { repository, VITE } from "./vite.js";

export type BrowserDevice = "swiftshader" | "default";

const ADAPTER_ARGUMENT = "--use-webgpu-adapter=";

/** With these headers a page may share memory between threads, without which the CPU's baseline has but one. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

declare global {
  interface Window {
    bench?: Bench;
  }
}

export interface Site {
  readonly page: Page;
  readonly platform: string;
  readonly close: () => Promise<void>;
}

/** The page, in a browser of its own, whose profile is new: no driver has kept anything. Nothing is opened there yet. */
export async function openSite(device: BrowserDevice): Promise<Site> {
  const server = await createServer({
    ...VITE,
    server: { headers: ISOLATION, fs: { allow: [repository] }, hmr: false, watch: null },
  });
  await server.listen(0);
  const browser = await launch(device);
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") console.error(`in the page: ${message.text()}`);
  });
  const { port } = server.httpServer?.address() as AddressInfo;
  await page.goto(`http://localhost:${port}/`);
  await page.waitForFunction(() => window.openBench !== undefined);
  return {
    page,
    platform: `headless Chromium ${browser.version()}`,
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

export async function openBrowser(device: BrowserDevice, tune: boolean): Promise<Host> {
  const { page, platform, close } = await openSite(device);
  return {
    platform,
    opened: await openBenchIn(page, tune),
    measure: (task) => measure(page, task),
    train: (task) => train(page, task),
    close,
  };
}

async function launch(device: BrowserDevice): Promise<Browser> {
  const options = await chromiumLaunchOptions();
  const args = options.args.filter((argument) => !argument.startsWith(ADAPTER_ARGUMENT));
  return await chromium.launch({ ...options, args: [...args, `${ADAPTER_ARGUMENT}${device}`] });
}

async function openBenchIn(page: Page, tune: boolean): Promise<Opened> {
  return await page.evaluate(async (tuned) => {
    if (!window.openBench) throw new Error("the page has not loaded");
    window.bench = await window.openBench(tuned);
    return window.bench.opened;
  }, tune);
}

async function measure(page: Page, task: Task): Promise<Row[]> {
  return await page.evaluate(async (given) => {
    if (!window.bench) throw new Error("the page has lost its engines");
    return await window.bench.measure(given);
  }, task);
}

async function train(page: Page, task: TrainingTask): Promise<TrainingRow[]> {
  return await page.evaluate(async (given) => {
    if (!window.bench) throw new Error("the page has lost its engines");
    return await window.bench.train(given);
  }, task);
}
