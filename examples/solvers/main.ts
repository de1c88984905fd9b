/**
 * The same layers by several solvers on this machine's device, round by round, so that what else the machine does falls
 * on all of them: what Winograd's tiles save, say. Results are verified first.
 * After a build: `npx tsx --tsconfig examples/tsconfig.json examples/solvers/main.ts [ROUNDS [PART OF A LAYER'S NAME]]`.
 */
import { type ConvOptions, createEngine, type Engine, type SolverChoice } from "webgpu-conv/node";
import { forward, makeProblem, weightGradient } from "webgpu-conv/reference";
import { randomValues } from "../benchmark/random.js";

interface Layer {
  readonly name: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
  /** Forward when absent. */
  readonly pass?: "weightGradient";
  readonly choices: Readonly<Record<string, SolverChoice>>;
}

/** ResNet's 3x3 layers, batch 1. */
const WINOGRAD: readonly Layer[] = [
  { channels: 64, size: 56 },
  { channels: 128, size: 28 },
  { channels: 256, size: 14 },
  { channels: 512, size: 7 },
].map(({ channels, size }) => ({
  name: `${String(channels)} to ${String(channels)} channels, 3x3, ${String(size)} x ${String(size)}`,
  input: [1, channels, size, size],
  weight: [channels, channels, 3, 3],
  options: { padding: 1 },
  choices: {
    "register-tile": "register-tile",
    "Winograd F(2x2)": { name: "winograd", config: { tile: 2 } },
    "Winograd F(4x4)": { name: "winograd", config: { tile: 4 } },
  },
}));

/** MobileNet's and ConvNeXt's depthwise layers. */
const DEPTHWISE: readonly Layer[] = [
  { batch: 4, channels: 144, kernel: 3 },
  { batch: 2, channels: 96, kernel: 7 },
].map(({ batch, channels, kernel }) => ({
  name: `depthwise, ${String(channels)} channels, ${String(kernel)}x${String(kernel)}, 56 x 56, batch ${String(batch)}`,
  input: [batch, channels, 56, 56],
  weight: [channels, 1, kernel, kernel],
  options: { padding: (kernel - 1) / 2, groups: channels },
  choices: {
    "register-tile": "register-tile",
    "strips of 4": { name: "strip", config: { mPerThread: 1, columns: 4 } },
    "strips of 8": { name: "strip", config: { mPerThread: 1, columns: 8 } },
    "rolling windows": "rolling-window",
  },
}));

/** What Winograd's tiles take beside plain 3x3 layers. */
const GATHERED: readonly Layer[] = [
  {
    name: "64 to 192 channels, 5x5, 27 x 27",
    input: [1, 64, 27, 27],
    weight: [192, 64, 5, 5],
    options: { padding: 2 },
  },
  {
    name: "256 to 64 channels, 3x3, dilation 12, 33 x 33",
    input: [1, 256, 33, 33],
    weight: [64, 256, 3, 3],
    options: { padding: 12, dilation: 12 },
  },
].flatMap((layer): Layer[] => [
  { ...layer, choices: { "register-tile": "register-tile", vectors: "vector-tile", Winograd: "winograd" } },
  {
    ...layer,
    name: `${layer.name}, weight gradient`,
    pass: "weightGradient",
    choices: { "register-tile": "register-tile", Winograd: "winograd" },
  },
]);

/** Layers of one tap: what lanes that share their loads are worth. */
const POINTWISE: readonly Layer[] = [
  { batch: 1, channels: [64, 256], size: 56, stride: 1 },
  { batch: 4, channels: [192, 192], size: 32, stride: 1 },
  { batch: 1, channels: [256, 512], size: 56, stride: 2 },
].flatMap(({ batch, channels: [inChannels, outChannels], size, stride }): Layer[] => {
  const common = {
    input: [batch, inChannels, size, size],
    weight: [outChannels, inChannels, 1, 1],
    options: { stride },
  };
  const name = `${String(inChannels)} to ${String(outChannels)} channels, 1x1, stride ${String(stride)}, ${String(size)} x ${String(size)}`;
  const tile = { threads: 64, mPerThread: 8 };
  return [
    {
      ...common,
      name,
      choices: {
        "register-tile": "register-tile",
        "vectors, alone": { name: "vector-tile", config: { ...tile, vectorsPerThread: 2, broadcastLanes: 1 } },
        "vectors, shared": "vector-tile",
      },
    },
    {
      ...common,
      name: `${name}, weight gradient`,
      pass: "weightGradient",
      choices: {
        "tiles, alone": { name: "register-tile", config: { ...tile, nPerThread: 8, broadcastLanes: 1 } },
        "tiles, shared": { name: "register-tile", config: { ...tile, nPerThread: 4, broadcastLanes: 4 } },
      },
    },
  ];
});

/** Weight gradients by Winograd's tiles and by strips, and strips of several channels. */
const OTHERS: readonly Layer[] = [
  ...WINOGRAD.map((layer): Layer => ({ ...layer, name: `${layer.name}, weight gradient`, pass: "weightGradient" })),
  ...DEPTHWISE.map((layer): Layer => ({
    ...layer,
    name: `${layer.name}, weight gradient`,
    pass: "weightGradient",
    choices: { "register-tile": "register-tile", strips: "strip", "rolling windows": "rolling-window" },
  })),
  {
    name: "128 to 128 channels, 3x3, 32 groups, 56 x 56, weight gradient",
    input: [1, 128, 56, 56],
    weight: [128, 4, 3, 3],
    options: { padding: 1, groups: 32 },
    pass: "weightGradient",
    choices: { "register-tile": "register-tile", strips: "strip", "rolling windows": "rolling-window" },
  },
  {
    name: "128 to 128 channels, 3x3, 32 groups, 56 x 56",
    input: [1, 128, 56, 56],
    weight: [128, 4, 3, 3],
    options: { padding: 1, groups: 32 },
    choices: {
      "register-tile": "register-tile",
      "strips, 1 channel": { name: "strip", config: { mPerThread: 1, columns: 8 } },
      "strips, 4 channels": { name: "strip", config: { mPerThread: 4, columns: 8 } },
      "rolling windows": "rolling-window",
    },
  },
  {
    name: "1 to 6 channels, 5x5, 28 x 28, batch 32",
    input: [32, 1, 28, 28],
    weight: [6, 1, 5, 5],
    options: { padding: 2 },
    choices: { "register-tile": "register-tile", strips: "strip", "rolling windows": "rolling-window" },
  },
];

const ROUNDS = Number(process.argv[2] ?? 7);

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

async function measureLayer(
  engine: Engine,
  { name: layer, input: inputShape, weight: weightShape, options, pass, choices }: Layer,
): Promise<void> {
  const problem = makeProblem(2, inputShape, weightShape, options);
  const x = randomValues(
    inputShape.reduce((size, extent) => size * extent, 1),
    1,
  );
  const w = randomValues(
    weightShape.reduce((size, extent) => size * extent, 1),
    2,
  );
  const dy = randomValues(
    problem.outputShape.reduce((size, extent) => size * extent, 1),
    3,
  );
  const expected = pass ? weightGradient(problem, dy, x) : forward(problem, x, w);
  using input = engine.tensor(x, inputShape);
  using weight = engine.tensor(w, weightShape);
  using gradient = engine.tensor(dy, problem.outputShape);
  const times = new Map<string, number[]>();
  const errors = new Map<string, number>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, solver] of Object.entries(choices)) {
      const start = performance.now();
      using y = pass
        ? engine.conv2dWeightGradient(gradient, input, weightShape, { ...options, solver })
        : engine.conv2d(input, weight, { ...options, solver });
      await engine.finish();
      const milliseconds = performance.now() - start;
      // The first round compiles; there results are compared instead.
      if (round > 0) times.set(name, [...(times.get(name) ?? []), milliseconds]);
      else {
        const values = await y.data();
        errors.set(
          name,
          values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0),
        );
      }
    }
  }
  console.log(layer);
  for (const [name, list] of times) {
    const speed = (2 * problem.multiplyAdds) / median(list) / 1e6;
    const error = errors.get(name)?.toExponential(1) ?? "";
    console.log(
      `  ${name.padEnd(16)} ${median(list).toFixed(1).padStart(8)} ms (least ${Math.min(...list).toFixed(1)})  ` +
        `${speed.toFixed(2).padStart(6)} GFLOP/s effective  largest error ${error}`,
    );
  }
}

const engine = await createEngine();
console.log(engine.adapter.description);
const wanted = process.argv[3] ?? "";
const layers = [...WINOGRAD, ...DEPTHWISE, ...GATHERED, ...POINTWISE, ...OTHERS];
for (const layer of layers.filter(({ name }) => name.includes(wanted))) await measureLayer(engine, layer);
engine.dispose();
