/** Whether a Firefox has WebGPU on a driver: asked of the browser itself, since versions and machines differ. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Firefox } from "./browser.js";

/** What it has, or why no test can run in it. */
export type FirefoxProbe = { readonly version: string; readonly shaderF16: boolean } | { readonly missing: string };

/** Asks for a device in the page: why there is none, or whether its shaders have float16. */
const QUESTION = `(async () => {
  if (!navigator.gpu) return { missing: "it has no navigator.gpu" };
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) return { missing: "requestAdapter() finds no adapter" };
  await adapter.requestDevice();
  return { shaderF16: adapter.features.has("shader-f16") };
})()`;

/** A page to ask in: WebGPU is there for addresses that are secure or local. */
async function withEmptyPage<T>(use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html>"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

export async function probeFirefox(
  program: string,
  environment: Readonly<Record<string, string>>,
): Promise<FirefoxProbe> {
  try {
    await using browser = await Firefox.launch(program, environment);
    const { version } = browser;
    const page = await browser.newPage();
    const answer = await withEmptyPage(async (url) => {
      await page.goto(url);
      return (await page.evaluateText(QUESTION)) as { missing: string } | { shaderF16: boolean };
    });
    return "missing" in answer ? { missing: `Firefox ${version}: ${answer.missing}` } : { version, ...answer };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}
