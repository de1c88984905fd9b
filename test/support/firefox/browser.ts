/** Firefox as it is installed, not a build for tests: started headless, with WebGPU, and driven through WebDriver BiDi. */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Connection } from "./connection.js";
import { FirefoxPage } from "./page.js";

/** The variable that names the program; the tests' command line sets it, from what is found. */
export const FIREFOX_VARIABLE = "CONV_FIREFOX";
/** Debian's name is the first: the release for organisations, which it supports. */
const NAMES = ["firefox-esr", "firefox"];

/** WebGPU is not on everywhere yet, and by default not on a driver in software. */
const PREFERENCES = {
  "dom.webgpu.enabled": true,
  "dom.webgpu.workers.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  // A camera that shows a moving pattern, and a visitor who lets the page use it.
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  // Nothing is asked of the network but what the tests serve.
  "app.update.disabledForTesting": true,
  "browser.safebrowsing.downloads.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

/** Firefox takes its time to start on a busy machine. */
const START_MS = 60_000;
/** And its windows to close, before it is ended without asking. */
const END_MS = 10_000;

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program that the variable names, or that is found by its name; undefined where there is none. */
export function firefoxProgram(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const named = environment[FIREFOX_VARIABLE];
  if (named !== undefined && named !== "") return named;
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

/** The address that Firefox prints once it listens. */
async function readAddress(child: ChildProcess): Promise<string> {
  let printed = "";
  return await new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`Firefox ${why}; it printed: ${printed.slice(-2000)}`));
    };
    const timer = setTimeout(() => fail(`did not start within ${String(START_MS / 1000)} s`), START_MS);
    child.once("error", (error) => fail(`could not be started: ${error.message}`));
    child.once("close", (code) => fail(`ended with ${String(code)}`));
    child.stderr?.on("data", (data: Buffer) => {
      printed = (printed + data.toString()).slice(-10_000);
      const address = /WebDriver BiDi listening on (ws:\S+)/.exec(printed)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(`${address}/session`);
    });
  });
}

export class Firefox implements AsyncDisposable {
  readonly version: string;
  readonly #connection: Connection;
  readonly #end: () => Promise<void>;

  private constructor(version: string, connection: Connection, end: () => Promise<void>) {
    this.version = version;
    this.#connection = connection;
    this.#end = end;
  }

  /** Starts the program with a profile of its own, in an environment that chooses the driver. Close it afterwards. */
  static async launch(program: string, environment: Readonly<Record<string, string>> = {}): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), "webgpu-conv-firefox-"));
    const preferences = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${String(value)});\n`);
    writeFileSync(join(profile, "user.js"), preferences.join(""));
    const options = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank"];
    // Its folders are below the profile: what belongs to the one who runs the tests stays as it is.
    const env = { ...process.env, ...environment, HOME: profile };
    const child = spawn(program, options, { stdio: ["ignore", "ignore", "pipe"], env });
    const kill = (): void => void child.kill("SIGKILL");
    // Nor does it outlive the tests where those are interrupted.
    process.once("exit", kill);
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const end = async (): Promise<void> => {
      const timer = setTimeout(kill, END_MS);
      await ended;
      clearTimeout(timer);
      process.off("exit", kill);
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    };
    try {
      const connection = await Connection.open(await readAddress(child));
      const { capabilities } = await connection.send<{ capabilities: { browserVersion: string } }>("session.new", {
        capabilities: {},
      });
      await connection.send("session.subscribe", { events: ["log.entryAdded"] });
      return new Firefox(capabilities.browserVersion, connection, end);
    } catch (error) {
      child.kill();
      await end();
      throw error;
    }
  }

  /** A window with such a viewport, in CSS pixels. */
  async newPage({ width = 1280, height = 900 } = {}): Promise<FirefoxPage> {
    return await FirefoxPage.open(this.#connection, width, height);
  }

  async close(): Promise<void> {
    // The answer may be lost with the connection.
    await this.#connection.send("browser.close").catch(() => undefined);
    await this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
