/** Vitest's set-up of the browser project: the browser is unpacked before the first test in it, and for no other tests. */
import { provideChromium } from "./chromium.js";

export default async function setup(): Promise<void> {
  await provideChromium();
}
