/** A window of Firefox: opens addresses, runs functions in the page, takes pictures, and keeps what the page complains of. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Connection } from "./connection.js";

/** What BiDi gives for a script. */
interface Evaluated {
  readonly type: "success" | "exception";
  readonly result?: { readonly type: string; readonly value?: string };
  readonly exceptionDetails?: { readonly text: string };
}

/** What BiDi tells of the console and of exceptions that nobody caught. */
interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string | null;
  readonly source: { readonly context?: string };
}

/** Milliseconds between two looks at a page that something is waited for in. */
const LOOK_MS = 50;

export class FirefoxPage implements AsyncDisposable {
  /** Console errors, and exceptions that nobody caught. */
  readonly errors: string[] = [];
  readonly #connection: Connection;
  readonly #context: string;

  private constructor(connection: Connection, context: string) {
    this.#connection = connection;
    this.#context = context;
    connection.onEvent((method, parameters) => {
      if (method !== "log.entryAdded") return;
      const { level, text, source } = parameters as LogEntry;
      if (level === "error" && source.context === context) this.errors.push(text ?? "");
    });
  }

  /** A window of its own: a tab in the background is slowed down. */
  static async open(connection: Connection, width: number, height: number): Promise<FirefoxPage> {
    const { context } = await connection.send<{ context: string }>("browsingContext.create", { type: "window" });
    await connection.send("browsingContext.setViewport", { context, viewport: { width, height } });
    return new FirefoxPage(connection, context);
  }

  async goto(url: string): Promise<void> {
    await this.#connection.send("browsingContext.navigate", { context: this.#context, url, wait: "complete" });
  }

  /** Calls a function in the page, which sees nothing from around it. Parameters and result go as JSON. */
  async evaluate<Parameters extends unknown[], Result>(
    work: (...parameters: Parameters) => Result | Promise<Result>,
    ...parameters: Parameters
  ): Promise<Result> {
    return (await this.evaluateText(`(${work.toString()})(...${JSON.stringify(parameters)})`)) as Result;
  }

  /** Evaluates an expression, or what it promises. */
  async evaluateText(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#connection.send<Evaluated>("script.evaluate", {
      expression: `(async () => JSON.stringify(await (${expression})))()`,
      target: { context: this.#context },
      awaitPromise: true,
      userActivation: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result?.value === undefined ? undefined : JSON.parse(result.value);
  }

  /** Waits until a function gives true in the page. */
  async until<Parameters extends unknown[]>(
    what: string,
    milliseconds: number,
    isSo: (...parameters: Parameters) => boolean,
    ...parameters: Parameters
  ): Promise<void> {
    const end = performance.now() + milliseconds;
    while (!(await this.evaluate(isSo, ...parameters))) {
      if (performance.now() > end) {
        const errors = this.errors.length === 0 ? "no error" : this.errors.join("; ");
        throw new Error(
          `Firefox did not show ${what} within ${String(milliseconds / 1000)} s; its console has ${errors}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Keeps a picture of the whole page, a PNG. */
  async screenshot(file: string): Promise<void> {
    const { data } = await this.#connection.send<{ data: string }>("browsingContext.captureScreenshot", {
      context: this.#context,
      origin: "document",
    });
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.from(data, "base64"));
  }

  async close(): Promise<void> {
    await this.#connection.send("browsingContext.close", { context: this.#context });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
