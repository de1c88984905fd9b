/** A process of its own, with WebGPU on lavapipe: answers what its parent asks. */
import { loadOnLavapipe } from "../host/dawn.js";
import type * as Networks from "./bench.js";
import type { NetworkTask } from "./task.js";

export type Question = { readonly task: NetworkTask } & (
  { readonly engine: string } | { readonly engines: readonly string[]; readonly rounds: number }
);
export type Answer = { readonly result: unknown } | { readonly problem: string };

const loaded = loadOnLavapipe<typeof Networks>("networks/bench.ts");

async function answer(question: Question): Promise<Answer> {
  try {
    const { first, steady } = (await loaded).module;
    const { task } = question;
    const result =
      "engine" in question ? await first(task, question.engine) : await steady(task, question.engines, question.rounds);
    return { result };
  } catch (cause) {
    return { problem: cause instanceof Error ? cause.message : String(cause) };
  }
}

process.on("message", (question: Question) => {
  void answer(question).then((message) => process.send?.(message));
});
