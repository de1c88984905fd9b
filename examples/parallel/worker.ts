/** A process that trains with others: its part of each batch, on an engine of its own. */
import { createEngine } from "webgpu-conv/node";
import {
  adam,
  compileDataParallel,
  crossEntropy,
  DataLoader,
  disposeModule,
  glyphs,
  type GradientExchange,
  parametersOf,
  Random,
} from "webgpu-conv/nn";
import { glyphNetwork } from "../train/network.js";
import type { FromMain, FromWorker } from "./messages.js";

const [rank, workers, batch, steps] = process.argv.slice(2).map(Number);
/** Glyphs to learn from; each worker draws the same. */
const COUNT = 4000;

const send = (message: FromWorker): void => void process.send?.(message);

/** By messages: the main process sends to all what all have sent to it. */
const exchange: GradientExchange = {
  rank,
  workers,
  gather: (values) =>
    new Promise((resolve) => {
      process.once("message", ({ all }: FromMain) => resolve(all));
      send({ values });
    }),
};

using engine = await createEngine();
const network = await glyphNetwork({ engine, random: new Random(1) });
const parameters = parametersOf(network);
using optimizer = adam(engine, parameters, { lr: 3e-3 });
const part = batch / workers;
const losses: number[] = [];
using step = await compileDataParallel(engine, {
  inputs: { x: [part, 1, 28, 28], labels: [part] },
  compute: ({ x, labels }) => crossEntropy(network.forward(x), labels),
  parameters,
  optimizer,
  exchange,
  onMetrics: ({ loss }) => losses.push(loss),
});
const loader = new DataLoader(glyphs({ count: COUNT, seed: 1 }), { batchSize: batch, seed: 1, dropLast: true });
while (step.steps < steps) {
  for await (const { x, labels } of loader) {
    if (step.steps === steps) break;
    const size = x.length / workers;
    await step.run({
      x: x.subarray(rank * size, (rank + 1) * size),
      labels: labels.subarray(rank * part, (rank + 1) * part),
    });
  }
}
const values = await Promise.all(Object.values(parameters).map((tensor) => tensor.data()));
disposeModule(network);
send({ losses, parameters: Float32Array.from(values.flatMap((one) => [...one])) });
process.disconnect();
