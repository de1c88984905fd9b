/**
 * A Vulkan driver that runs on the CPU, for machines without a GPU: SwiftShader, from the npm package
 * `@sparticuz/chromium`, which carries it with a Vulkan loader for its headless browser. Linux x86-64 only.
 */
import { createReadStream, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const PACKAGE = "@sparticuz/chromium";
const LOADER = "libvulkan.so.1";
const DRIVER = "vk_swiftshader_icd.json";
/** glibc's RTLD_NOLOAD's neighbour: the library stays loaded although Node drops its handle. */
const RTLD_NODELETE = 0x1000;

interface DriverPackage {
  readonly version: string;
  readonly archive: string;
  /** tar-fs, the archive reader that the package itself depends on. */
  readonly extract: (folder: string) => NodeJS.WritableStream;
}

function findPackage(): DriverPackage | undefined {
  try {
    const main = createRequire(import.meta.url).resolve(PACKAGE);
    let root = dirname(main);
    while (!existsSync(join(root, "bin"))) root = dirname(root);
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    const { extract } = createRequire(main)("tar-fs") as Pick<DriverPackage, "extract">;
    return { version, archive: join(root, "bin", "swiftshader.tar.br"), extract };
  } catch {
    return undefined;
  }
}

/** The driver's files, unpacked. */
export interface SoftwareDriverFiles {
  /** The driver's description, for the Vulkan loader's variable VK_DRIVER_FILES. */
  readonly driver: string;
  /** A Vulkan loader, for machines without one. */
  readonly loader: string;
}

/**
 * Unpacks the driver, once a machine, below the system's temporary folder. Gives undefined where the package or the
 * platform is missing.
 */
export async function unpackSoftwareDriver(): Promise<SoftwareDriverFiles | undefined> {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  const found = findPackage();
  if (!found) return undefined;
  const user = String(process.getuid?.() ?? "user");
  const folder = join(tmpdir(), `webgpu-conv-swiftshader-${found.version}-${user}`);
  const files = { driver: join(folder, DRIVER), loader: join(folder, LOADER) };
  if (!existsSync(files.driver)) await unpack(found, folder);
  return files;
}

/** Makes it the process' Vulkan driver. Call before Dawn looks for adapters. Gives false where there is none. */
export async function installSoftwareDriver(): Promise<boolean> {
  const files = await unpackSoftwareDriver();
  if (!files) return false;
  process.env.VK_DRIVER_FILES = files.driver;
  loadVulkanLoader(files.loader);
  return true;
}

async function unpack({ archive, extract }: DriverPackage, folder: string): Promise<void> {
  const fresh = mkdtempSync(`${folder}-`);
  await pipeline(createReadStream(archive), createBrotliDecompress(), extract(fresh));
  try {
    renameSync(fresh, folder);
  } catch {
    // Another process was faster; its files are the same.
    rmSync(fresh, { recursive: true });
  }
}

/**
 * Loads the Vulkan loader under its own name, so that Dawn finds it without a system-wide one. Node reports
 * that the library is no addon, which is so, and leaves it loaded.
 */
function loadVulkanLoader(path: string): void {
  const flags = constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | RTLD_NODELETE;
  try {
    process.dlopen({ exports: {} }, path, flags);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes("did not self-register"))) throw error;
  }
}
