/** WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/) as far as the tests need it: commands, their results, and events. */
import { WebSocket } from "ws";

/** What a browser sends: the result of a command, its error, or an event. */
interface Message {
  readonly type: "success" | "error" | "event";
  readonly id?: number | null;
  readonly result?: unknown;
  readonly error?: string;
  readonly message?: string;
  readonly method?: string;
  readonly params?: unknown;
}

interface Waiting {
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners: ((method: string, parameters: unknown) => void)[] = [];
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => this.#receive(JSON.parse(data.toString()) as Message));
    socket.on("close", () => this.#end());
    // What follows is the end of the connection, which is told to all who wait.
    socket.on("error", () => undefined);
  }

  static async open(url: string): Promise<Connection> {
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 2 ** 28 });
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    return new Connection(socket);
  }

  /** Sends a command and gives its result. */
  async send<Result>(method: string, parameters: object = {}): Promise<Result> {
    const id = ++this.#lastId;
    return await new Promise<Result>((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) {
        reject(new Error(`${method}: the connection to Firefox is closed`));
        return;
      }
      this.#waiting.set(id, { method, resolve: (result) => resolve(result as Result), reject });
      this.#socket.send(JSON.stringify({ id, method, params: parameters }));
    });
  }

  onEvent(listener: (method: string, parameters: unknown) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#socket.close();
  }

  #receive({ type, id, result, error, message, method, params }: Message): void {
    if (type === "event") {
      for (const listener of this.#listeners) listener(method ?? "", params);
      return;
    }
    const waiting = this.#waiting.get(id ?? 0);
    this.#waiting.delete(id ?? 0);
    if (type === "success") waiting?.resolve(result);
    else waiting?.reject(new Error(`${waiting.method}: ${error ?? "error"}: ${message ?? ""}`));
  }

  #end(): void {
    for (const { method, reject } of this.#waiting.values()) reject(new Error(`${method}: Firefox ended meanwhile`));
    this.#waiting.clear();
  }
}
