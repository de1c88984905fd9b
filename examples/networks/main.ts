/**
 * `npm run example:networks`: the textbook's networks, small, side by side. Prints what each is made of as the textbook counts it,
 * trains it on generated pictures, and says how its loss fell and what a step took.
 */
import { plot } from "asciichart";
import { Command, InvalidArgumentError } from "commander";
import { createEngine } from "webgpu-conv/node";
import { disposeModule, explainNetwork, Random, setTraining } from "webgpu-conv/nn";
import { count } from "../train/count.js";
import { makeNetwork, SYSTEMS } from "./systems.js";
import { train } from "./train.js";

const named = (text: string): string[] => {
  const names = text.split(",");
  for (const name of names) {
    if (!Object.hasOwn(SYSTEMS, name))
      throw new InvalidArgumentError(`expected some of ${Object.keys(SYSTEMS).join(", ")}`);
  }
  return names;
};

const options = new Command("example:networks")
  .description("trains the textbook's networks on generated pictures")
  .option("--only <names>", "some of them, with commas between", named, Object.keys(SYSTEMS))
  .option("--steps <count>", "steps of training", count, 100)
  .option("--batch <count>", "pictures a step", count, 32)
  .option("--seed <number>", "of pictures and weights", count, 1)
  .parse()
  .opts<{ only: string[]; steps: number; batch: number; seed: number }>();

/** Pixels of a picture's side. */
const EXTENT = 28;
const { steps, batch, seed } = options;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

using engine = await createEngine();
console.log(`adapter  ${engine.adapter.description}`);
const results: Record<string, unknown> = {};
for (const name of options.only) {
  const { title, task } = SYSTEMS[name];
  const network = await makeNetwork(SYSTEMS[name], { engine, random: new Random(seed) });
  // In training, statistics of the whole batch are part of every value: what a layer sees is counted without them.
  setTraining(network, false);
  const explained = explainNetwork(network, [batch, 1, EXTENT, EXTENT]);
  setTraining(network, true);
  console.log(`\n${name}: ${title}; it learns ${task.title}\n\n${explained.toString()}\n`);
  const { losses, milliseconds } = await train(engine, network, task, { steps, batch, seed, extent: EXTENT, lr: 3e-3 });
  console.log(plot([...losses], { height: 6 }));
  const some = Math.max(1, Math.floor(losses.length / 10));
  results[name] = {
    weights: explained.weights,
    "multiply-adds a picture": Math.round(explained.multiplyAdds / batch),
    "first loss": mean(losses.slice(0, some)).toFixed(3),
    "last loss": mean(losses.slice(-some)).toFixed(3),
    "ms a step": milliseconds.toFixed(1),
  };
  disposeModule(network);
}
console.log(`\n${String(steps)} steps of ${String(batch)} pictures; losses are means of the first and the last tenth`);
console.table(results);
