/**
 * The same layers by several solvers on this machine's device, round by round, so that what else the machine does falls
 * on all of them: what Winograd's tiles save, say. Results are verified first.
 * After a build: `npx tsx --tsconfig examples/tsconfig.json examples/solvers/main.ts [ROUNDS]`.
 */
import { createEngine, type Engine, type SolverChoice } from "webgpu-conv/node";
import { forward, makeProblem } from "webgpu-conv/reference";
import { randomValues } from "../benchmark/random.js";

/** ResNet's 3x3 layers, batch 1. */
const LAYERS = [
  { channels: 64, size: 56 },
  { channels: 128, size: 28 },
  { channels: 256, size: 14 },
  { channels: 512, size: 7 },
];
const CHOICES: Readonly<Record<string, SolverChoice>> = {
  "register-tile": "register-tile",
  "Winograd F(2x2)": { name: "winograd", config: { tile: 2 } },
  "Winograd F(4x4)": { name: "winograd", config: { tile: 4 } },
};
const OPTIONS = { padding: 1 };
const ROUNDS = Number(process.argv[2] ?? 7);

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

async function measureLayer(engine: Engine, channels: number, size: number): Promise<void> {
  const inputShape = [1, channels, size, size];
  const weightShape = [channels, channels, 3, 3];
  const x = randomValues(channels * size * size, 1);
  const w = randomValues(channels * channels * 9, 2);
  const problem = makeProblem(2, inputShape, weightShape, OPTIONS);
  const expected = forward(problem, x, w);
  using input = engine.tensor(x, inputShape);
  using weight = engine.tensor(w, weightShape);
  const times = new Map<string, number[]>();
  const errors = new Map<string, number>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, solver] of Object.entries(CHOICES)) {
      const start = performance.now();
      using y = engine.conv2d(input, weight, { ...OPTIONS, solver });
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
  console.log(`${String(channels)} to ${String(channels)} channels, ${String(size)} x ${String(size)}`);
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
for (const { channels, size } of LAYERS) await measureLayer(engine, channels, size);
engine.dispose();
