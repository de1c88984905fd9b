/**
 * `npm run example:train`: trains a small ConvNet on generated glyphs, in Node, and shows how it gets on. Writes its weights, pictures
 * of its filters and maps, and a page.
 */
import { plot } from "asciichart";
import cliProgress from "cli-progress";
import { Command } from "commander";
import { createEngine } from "webgpu-conv/node";
import { disposeModule, explainNetwork, glyphs, Random } from "webgpu-conv/nn";
import { count } from "./count.js";
import { glyphNetwork } from "./network.js";
import { writeResults } from "./results.js";
import { accuracyOn, trainNetwork } from "./training.js";

const options = new Command("example:train")
  .description("trains a small ConvNet on generated glyphs")
  .option("--epochs <count>", "times that it sees each glyph", count, 3)
  .option("--glyphs <count>", "glyphs to learn from", count, 20_000)
  .option("--batch <count>", "glyphs a step", count, 32)
  .option("--seed <number>", "of glyphs, weights and order", count, 1)
  .option("--out <folder>", "for the results", "out/train")
  .parse()
  .opts<{ epochs: number; glyphs: number; batch: number; seed: number; out: string }>();

using engine = await createEngine();
const train = glyphs({ count: options.glyphs, seed: options.seed });
const heldOut = glyphs({ count: 2000, seed: options.seed + 1_000_000 });
const network = await glyphNetwork({ engine, random: new Random(options.seed) });
console.log(`adapter  ${engine.adapter.description}\n`);
console.log(`${explainNetwork(network, [options.batch, ...train.shape]).toString()}\n`);

const bar = new cliProgress.SingleBar({
  format: "training [{bar}] step {value} of {total}, loss {loss}",
  stream: process.stderr,
  hideCursor: true,
  clearOnComplete: false,
});
const start = performance.now();
const training = trainNetwork({
  engine,
  network,
  train,
  epochs: options.epochs,
  batchSize: options.batch,
  seed: options.seed,
  lr: 3e-3,
  onStep(step, total, loss) {
    const shown = { loss: loss.toFixed(3) };
    if (step === 1) bar.start(total, 0, shown);
    bar.update(step, shown);
  },
});
// The terminal's cursor comes back where training fails, too.
const losses = await training.finally(() => bar.stop());
const seconds = (performance.now() - start) / 1000;

/** Means of the losses, as many as a terminal is wide. */
const columns = Math.min(losses.length, 72);
const means = Array.from({ length: columns }, (_, i) => {
  const part = losses.slice(Math.floor((i * losses.length) / columns), Math.floor(((i + 1) * losses.length) / columns));
  return part.reduce((sum, loss) => sum + loss, 0) / part.length;
});
console.log(`\nloss\n${plot(means, { height: 10 })}\n`);

const accuracy = await accuracyOn(engine, network, heldOut);
console.log(`trained  ${String(losses.length)} steps in ${seconds.toFixed(1)} s`);
console.log(`right    ${(100 * accuracy).toFixed(1)} % of ${String(heldOut.size)} held-out glyphs`);
const files = await writeResults(options.out, engine, network, heldOut, {
  adapter: engine.adapter.description,
  losses,
  accuracy,
  seconds,
});
console.log(`wrote    ${files.join(", ")}`);
disposeModule(network);
