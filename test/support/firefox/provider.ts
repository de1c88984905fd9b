/** Vitest's way to a browser, for Firefox as it is installed: it opens the page in which vitest runs the test files. */
import { defineBrowserProvider } from "@vitest/browser";
import type { BrowserProvider, BrowserProviderOption } from "vitest/node";
import { firefoxProgram, Firefox } from "./browser.js";
import type { FirefoxPage } from "./page.js";

class FirefoxProvider implements BrowserProvider {
  readonly name = "firefox";
  /** One file at a time: all share a device. */
  readonly supportsParallelism = false;
  readonly #pages = new Map<string, FirefoxPage>();
  #browser: Promise<Firefox> | undefined;

  getCommandsContext(): Record<string, unknown> {
    return {};
  }

  async openPage(sessionId: string, url: string): Promise<void> {
    this.#browser ??= launch();
    const browser = await this.#browser;
    await this.#pages.get(sessionId)?.close();
    const page = await browser.newPage();
    this.#pages.set(sessionId, page);
    await page.goto(url);
  }

  async close(): Promise<void> {
    // What could not be started has said so where it was asked for.
    const browser = await this.#browser?.catch(() => undefined);
    await browser?.close();
  }
}

async function launch(): Promise<Firefox> {
  const program = firefoxProgram();
  if (program === undefined) throw new Error("no Firefox: npm run test:firefox says how to install it");
  return await Firefox.launch(program);
}

export function firefox(): BrowserProviderOption {
  return defineBrowserProvider({
    name: "firefox",
    supportedBrowser: ["firefox"],
    options: {},
    providerFactory: () => new FirefoxProvider(),
  });
}
