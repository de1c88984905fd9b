/** Tells how far the run is: a bar on a terminal, a line a layer elsewhere. */
import cliProgress from "cli-progress";

export interface Progress {
  /** @param doing what comes next */
  update(done: number, doing: string): void;
  stop(): void;
}

/** Reports to standard error, so that standard output holds the results alone. */
export function startProgress(total: number): Progress {
  return process.stderr.isTTY ? startBar(total) : new Lines(total);
}

function startBar(total: number): Progress {
  const bar = new cliProgress.SingleBar({
    format: "[{bar}] {value}/{total}  {duration_formatted}  {doing}",
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(total, 0, { doing: "" });
  return {
    update: (done, doing) => bar.update(done, { doing }),
    stop: () => bar.stop(),
  };
}

class Lines implements Progress {
  readonly #total: number;
  #last = "";

  constructor(total: number) {
    this.#total = total;
  }

  update(done: number, doing: string): void {
    if (doing === this.#last) return;
    this.#last = doing;
    process.stderr.write(`${String(done).padStart(String(this.#total).length)}/${this.#total} ${doing}\n`);
  }

  stop(): void {
    process.stderr.write(`${this.#total}/${this.#total} done\n`);
  }
}
