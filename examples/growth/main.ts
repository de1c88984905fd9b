/**
 * How an engine's cost grows with the work on this machine's device: with the batch, with channels, at sizes that no tile
 * divides, and at the very first call of ResNet-50's layers.
 * After a build: `npx tsx --tsconfig examples/tsconfig.json examples/growth/main.ts`.
 */
import { type ConvOptions, createEngine, type Engine, type Tensor } from "webgpu-conv/node";
import { makeProblem } from "webgpu-conv/reference";
import { LAYERS } from "../benchmark/layers.js";
import { randomValues } from "../benchmark/random.js";
import { median } from "../benchmark/statistics.js";

interface Layer {
  readonly name: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

const ROUNDS = 7;
const product = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

const layer = (batch: number, channels: number, size: number): Layer => ({
  name: `batch ${batch}, ${channels} channels, ${size} x ${size}`,
  input: [batch, channels, size, size],
  weight: [channels, channels, 3, 3],
  options: { padding: 1 },
});

interface Operands {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly dy: Tensor;
}
type Run = (engine: Engine, operands: Operands, layer: Layer) => Tensor;

const PASSES: Readonly<Record<string, Run>> = {
  forward: (engine, { x, w }, { options }) => engine.conv2d(x, w, options),
  "input gradient": (engine, { dy, w }, { input, options }) => engine.conv2dInputGradient(dy, w, input, options),
  "weight gradient": (engine, { dy, x }, { weight, options }) => engine.conv2dWeightGradient(dy, x, weight, options),
};

/** Milliseconds of a pass of each layer: medians, in turn within each round. */
async function measure(engine: Engine, layers: readonly Layer[], run: Run): Promise<number[]> {
  const made = layers.map(({ input, weight, options }) => {
    const { outputShape } = makeProblem(2, input, weight, options);
    return {
      x: engine.tensor(randomValues(product(input), 1), input),
      w: engine.tensor(randomValues(product(weight), 2), weight),
      dy: engine.tensor(randomValues(product(outputShape), 3), outputShape),
      samples: [] as number[],
    };
  });
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, operands] of made.entries()) {
      const { milliseconds } = await engine.time(() => run(engine, operands, layers[i]).dispose());
      // The first round compiles.
      if (round > 0) operands.samples.push(milliseconds);
    }
  }
  for (const { x, w, dy } of made) [x, w, dy].forEach((tensor) => tensor.dispose());
  return made.map(({ samples }) => median(samples));
}

async function report(engine: Engine, title: string, layers: readonly Layer[]): Promise<void> {
  for (const [pass, run] of Object.entries(PASSES)) {
    console.log(`${title}, ${pass}:`);
    const times = await measure(engine, layers, run);
    const costs = layers.map(
      ({ input, weight, options }, i) => times[i] / makeProblem(2, input, weight, options).multiplyAdds,
    );
    for (const [i, { name }] of layers.entries()) {
      console.log(
        `  ${name}: ${times[i].toFixed(2)} ms, ${(costs[i] / costs[0]).toFixed(2)} times the first per multiply-add`,
      );
    }
  }
}

/** Milliseconds until the first result of all the layers is there, one after the other, with kernels to compile. */
async function firstResults(engine: Engine, layers: readonly Layer[]): Promise<number> {
  let total = 0;
  for (const { input, weight, options } of layers) {
    using x = engine.tensor(randomValues(product(input), 1), input);
    using w = engine.tensor(randomValues(product(weight), 2), weight);
    await engine.finish();
    const start = performance.now();
    using y = engine.conv2d(x, w, options);
    await engine.finish();
    total += performance.now() - start;
    if (y.disposed) throw new Error("a result was lost");
  }
  return total;
}

const RESNET: readonly Layer[] = LAYERS.filter(({ origin }) => origin.startsWith("ResNet-50")).map(
  ({ origin, inChannels, outChannels, kernel, extent, options }) => ({
    name: origin,
    input: [1, inChannels, extent, extent],
    weight: [outChannels, inChannels / options.groups, kernel, kernel],
    options,
  }),
);

const engine = await createEngine();
console.log(engine.adapter.description);
const cold = await firstResults(engine, RESNET);
const warm = await firstResults(engine, RESNET);
console.log(
  `First results of ${RESNET.length} ResNet-50 layers: ${cold.toFixed(0)} ms with kernels to compile, ${warm.toFixed(0)} ms with them compiled`,
);
await report(
  engine,
  "Batch",
  [1, 2, 4, 8, 16, 32, 64].map((batch) => layer(batch, 32, 28)),
);
await report(
  engine,
  "Channels",
  [16, 32, 64, 128].map((channels) => layer(1, channels, 28)),
);
await report(
  engine,
  "Sizes that tiles do not divide",
  [28, 27, 29, 31, 33].map((size) => layer(1, 64, size)),
);
await report(
  engine,
  "Channels that tiles do not divide",
  [64, 63, 65, 67, 61].map((channels) => layer(1, channels, 28)),
);
engine.dispose();
process.exit(0);
