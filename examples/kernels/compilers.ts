/**
 * The compilers of GPUs that the machine lacks. A folder has a script `as.sh MODEL COMMAND...` that runs a command as if the
 * machine had that GPU; its driver writes a line of statistics for each pipeline to stderr, and the machine code to the folder that
 * STATS_TEXT names. Nothing is computed there.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Answer, Greeting } from "./compile.js";
import { type Compiled, readCompiled, readStatistics, type Statistics } from "./machine/statistics.js";
import type { Text } from "./plan.js";

/** Where the compilers are: the folder that CONV_GPU_COMPILERS names. */
export const compilersFolder = (root: string, environment: NodeJS.ProcessEnv): string =>
  resolve(root, environment.CONV_GPU_COMPILERS ?? "../shared/gpu-compilers");

/** Why there are none; undefined where they run. */
export function compilersMissing(folder: string): string | undefined {
  const runner = join(folder, "as.sh");
  if (!existsSync(runner)) return `${runner} was not found; CONV_GPU_COMPILERS names the folder that has it`;
  const { status, stderr } = spawnSync("bash", [runner, "navi21", "true"], { encoding: "utf8" });
  return status === 0 ? undefined : `${runner} does not run: ${stderr.trim()}`;
}

const MOST_TRIES = 50;
const TRY_MILLISECONDS = 20;

/** A process that compiles for one GPU. */
export class Compiler {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #folder: string;
  readonly #answers: AsyncIterator<string, undefined>;
  /** What the driver said, by kernel. */
  readonly #said = new Map<string, string>();
  readonly #known = new Map<string, Compiled | undefined>();
  #current = "";

  /** @param script compile.ts, built */
  constructor(model: string, compilers: string, script: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "webgpu-conv-kernels-"));
    this.#child = spawn("bash", [join(compilers, "as.sh"), model, process.execPath, script], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, STATS_TEXT: this.#folder },
    });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    createInterface({ input: this.#child.stderr }).on("line", (line) => this.#hear(line));
  }

  #hear(line: string): void {
    const kernel = /^KERNEL (\w+)$/.exec(line)?.[1];
    if (kernel !== undefined) this.#current = kernel;
    else this.#said.set(this.#current, `${this.#said.get(this.#current) ?? ""}${line}\n`);
  }

  async #next(): Promise<unknown> {
    const { done, value }: IteratorResult<string, undefined> = await this.#answers.next();
    if (done === true) throw new Error(`the compiler stopped: ${this.#said.get(this.#current) ?? "it said nothing"}`);
    return JSON.parse(value);
  }

  async greeting(): Promise<Greeting> {
    return (await this.#next()) as Greeting;
  }

  /**
   * What the compiler makes of a kernel; each text is compiled once. Undefined where the driver tells nothing of it.
   *
   * @throws Error where it does not compile
   */
  async compile(text: Text): Promise<Compiled | undefined> {
    const { key, name } = text;
    if (!this.#known.has(key)) {
      this.#child.stdin.write(`${JSON.stringify(text)}\n`);
      const { error } = (await this.#next()) as Answer;
      if (error !== undefined) throw new Error(`${name} does not compile: ${error}`);
      this.#known.set(key, await this.#readResult(key));
    }
    return this.#known.get(key);
  }

  async #readResult(key: string): Promise<Compiled | undefined> {
    const statistics = await this.#readLine(key);
    if (!statistics) return undefined;
    const file = join(this.#folder, `${String(statistics.number)}.txt`);
    const compiled = readCompiled(statistics, existsSync(file) ? readFileSync(file, "utf8") : "");
    rmSync(file, { force: true });
    return compiled;
  }

  /** The driver's line was written before the answer, and comes by another pipe: it may be a moment late. */
  async #readLine(key: string): Promise<Statistics | undefined> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const lines = (this.#said.get(key) ?? "").split("\n");
      const statistics = lines.map(readStatistics).find((read) => read !== undefined);
      if (statistics) return statistics;
      await new Promise((done) => setTimeout(done, TRY_MILLISECONDS));
    }
    return undefined;
  }

  get size(): number {
    return this.#known.size;
  }

  close(): void {
    this.#child.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
