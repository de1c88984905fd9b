/** Which WebGPU device the tests get in Node, in Deno and in Firefox: a GPU where there is one, else a software driver. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { unpackSoftwareDriver } from "../../src/node/softwareDriver.js";
import type { Probe } from "./probe.js";

/** A choice of driver. */
export interface Driver {
  /** What was chosen, and what therefore is not tested, in a line for people. */
  readonly note: string;
  /** Variables that bring it about. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The Vulkan loader's own variables: whoever sets them has chosen. */
const LOADER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
/** Where Linux distributions put the drivers' descriptions. */
const DRIVER_FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
const NO_FLOAT16 = "float16 arithmetic in the shader (shader-f16) is not tested in Node";

/** The driver that the environment asks for; undefined where it leaves the choice open. */
function askedFor(): Driver | undefined {
  const name = LOADER_VARIABLES.find((variable) => process.env[variable] !== undefined);
  if (name === undefined) return undefined;
  return { note: `the driver that ${name} names, ${process.env[name] ?? ""}`, environment: {} };
}

/** The adapter that Dawn finds in an environment; undefined where there is none. */
function probe(environment: Driver["environment"]): Probe | undefined {
  const script = join(import.meta.dirname, "probe.ts");
  const options = { encoding: "utf8", stdio: "pipe", env: { ...process.env, ...environment } } as const;
  try {
    return JSON.parse(execFileSync(process.execPath, ["--import", "tsx", script], options)) as Probe;
  } catch {
    return undefined;
  }
}

/** The GPU that is there without any choice made; undefined where the adapter, if any, is a software one. */
function findGpu(): Driver | undefined {
  const found = probe({});
  return found && !found.software ? { note: found.description, environment: {} } : undefined;
}

/** Whether Dawn takes a GPU there. */
export const isOnGpu = ({ environment }: Pick<Driver, "environment">): boolean =>
  probe(environment)?.software === false;

function lavapipeDescription(): string | undefined {
  const folders = DRIVER_FOLDERS.filter((folder) => existsSync(folder));
  const files = folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)));
  return files.find((file) => /lvp_icd.*\.json$/.test(file));
}

/** Mesa's software driver, which has what SwiftShader lacks: float16 arithmetic in shaders. Or why it is not used. */
export function findLavapipe(): Driver | { readonly missing: string } {
  const file = lavapipeDescription();
  if (file === undefined) return { missing: `lavapipe is not installed (no lvp_icd*.json in ${DRIVER_FOLDERS[0]})` };
  // It complains where no session made this folder.
  const environment = { VK_DRIVER_FILES: file, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir() };
  const found = probe(environment);
  if (!found) return { missing: `lavapipe is installed (${file}) but Dawn cannot open it` };
  if (!found.shaderF16) return { missing: `lavapipe is installed but has no shader-f16: ${found.description}` };
  return { note: `lavapipe, with float16 arithmetic in the shader: ${found.description}`, environment };
}

/** SwiftShader; undefined where the package or the platform is missing. */
export async function findSwiftShader(): Promise<Driver | undefined> {
  const files = await unpackSoftwareDriver();
  if (!files) return undefined;
  // The loader is beside the driver, for machines that have none.
  const libraries = [process.env.LD_LIBRARY_PATH, dirname(files.loader)].filter((path) => path !== undefined);
  const environment = { VK_DRIVER_FILES: files.driver, LD_LIBRARY_PATH: libraries.join(delimiter) };
  return { note: "SwiftShader, on the CPU", environment };
}

/** What is wanted of a software driver: float16 arithmetic in shaders, which lavapipe has, or SwiftShader's speed, two to three times lavapipe's. */
export type Wanted = "float16" | "speed";

/** What Node's tests run on: what the environment says, a GPU, or the software driver that has what is wanted, or else the other. */
export async function chooseForNode(wanted: Wanted): Promise<Driver> {
  const first = askedFor() ?? findGpu();
  if (first) return first;
  const [lavapipe, swiftShader] = [findLavapipe(), await findSwiftShader()];
  if (!("missing" in lavapipe) && (wanted === "float16" || !swiftShader)) return lavapipe;
  const name = swiftShader?.note ?? "what createEngine finds";
  const note = wanted === "float16" && "missing" in lavapipe ? `${name}; ${lavapipe.missing}: ${NO_FLOAT16}` : name;
  // Without any driver in the system createEngine unpacks SwiftShader by itself, as for a newcomer.
  const environment = swiftShader && probe({}) ? swiftShader.environment : {};
  return { note, environment };
}

/**
 * What a run of all platforms adds for float16 arithmetic in shaders, or why it cannot: lavapipe. Undefined where the choice is made:
 * on a GPU, or on what the environment says, Node has run everything.
 */
export function chooseForFloat16(): Driver | { readonly missing: string } | undefined {
  if (askedFor() ?? findGpu()) return undefined;
  const lavapipe = findLavapipe();
  return "missing" in lavapipe ? { missing: `${lavapipe.missing}: ${NO_FLOAT16}` } : lavapipe;
}

/** What Firefox runs on: what the environment says, a GPU, or the software driver that has what is wanted, or else the other. */
export async function chooseForFirefox(wanted: Wanted): Promise<Driver> {
  const first = askedFor() ?? findGpu();
  if (first) return first;
  const [lavapipe, swiftShader] = [findLavapipe(), await findSwiftShader()];
  if (!("missing" in lavapipe) && (wanted === "float16" || !swiftShader)) return lavapipe;
  return swiftShader ?? { note: "what Firefox finds", environment: {} };
}

/** What Deno's tests run on: what the environment says, a GPU, or SwiftShader. */
export async function chooseForDeno(): Promise<Driver> {
  const chosen = askedFor() ?? findGpu() ?? (await findSwiftShader());
  return chosen ?? { note: "what Deno finds", environment: {} };
}
