/**
 * A headless Chromium with WebGPU in software, from the npm package `@sparticuz/chromium`: nothing needs to be
 * installed beforehand. Linux x86-64; elsewhere vitest's browser project uses an installed Chrome.
 */
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

/** Where the browser and its driver are unpacked, once a machine. */
const FOLDER = join(tmpdir(), `webgpu-conv-chromium-147-${String(process.getuid?.() ?? "user")}`);
const BINARY = join(FOLDER, "chromium");
const LIBRARIES = join(FOLDER, "libraries", "lib");

export const LAUNCH_ARGUMENTS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  // Without these the browser's GPU process ends when WebGPU meets a canvas or a video frame.
  "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--disable-background-networking",
  "--disable-quic",
  "--no-first-run",
  "--disable-component-update",
  "--disable-sync",
];

/** How playwright starts the browser. */
export interface LaunchOptions {
  readonly executablePath?: string;
  readonly args: string[];
  readonly env?: Record<string, string>;
}

/** Whether the package has a browser for this platform. */
const IS_PACKAGED = process.platform === "linux" && process.arch === "x64";

/** The options, and the browser that they name unpacked. */
export async function chromiumLaunchOptions(): Promise<LaunchOptions> {
  await provideChromium();
  return launchOptions();
}

/** Unpacks the browser where no run before did: some seconds. */
export async function provideChromium(): Promise<void> {
  if (IS_PACKAGED && !existsSync(BINARY)) await unpackChromium();
}

/** The options alone: for those who see to it that the browser is there before it is started. */
export function launchOptions(): LaunchOptions {
  if (!IS_PACKAGED) return { args: LAUNCH_ARGUMENTS };
  // libnss3, libnspr4 and libexpat come with it: a machine without a desktop has none.
  const path = [process.env.LD_LIBRARY_PATH, LIBRARIES].filter((part) => part !== undefined && part !== "").join(":");
  return { executablePath: BINARY, args: LAUNCH_ARGUMENTS, env: { ...ownEnvironment(), LD_LIBRARY_PATH: path } };
}

/** This process' environment, but for the choice of a driver, which is meant for Node: the browser brings its own. */
function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => {
      return entry[1] !== undefined && !["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].includes(entry[0]);
    }),
  );
}

async function unpackChromium(): Promise<void> {
  const main = createRequire(import.meta.url).resolve("@sparticuz/chromium");
  const { extract } = createRequire(main)("tar-fs") as { extract: (folder: string) => NodeJS.WritableStream };
  let root = dirname(main);
  while (!existsSync(join(root, "bin"))) root = dirname(root);
  const unpack = async (name: string, target: NodeJS.WritableStream): Promise<void> => {
    await pipeline(createReadStream(join(root, "bin", name)), createBrotliDecompress(), target);
  };
  const fresh = mkdtempSync(`${FOLDER}-`);
  mkdirSync(join(fresh, "libraries"));
  await unpack("swiftshader.tar.br", extract(fresh));
  await unpack("al2023.tar.br", extract(join(fresh, "libraries")));
  await unpack("chromium.br", createWriteStream(join(fresh, "chromium")));
  chmodSync(join(fresh, "chromium"), 0o755);
  try {
    renameSync(fresh, FOLDER);
  } catch {
    // Another process was faster; its files are the same.
    rmSync(fresh, { recursive: true });
  }
}
