/**
 * What it is worth on this machine's device to write out the marked loops of the kernels, and to use workgroup memory:
 * one layer by every solver, its shaders once as they are compiled always and once with the loops left as loops.
 * After a build: `npx tsx --tsconfig examples/tsconfig.json examples/unrolling/main.ts`.
 */
import { createServer, type Plugin } from "vite";
import type { Engine } from "webgpu-conv";
import { compare, errorBound, forward, makeProblem } from "webgpu-conv/reference";
import { measure } from "../benchmark/measure.js";
import { randomValues } from "../benchmark/random.js";

/** ResNet-50's conv2_x, 3x3. */
const INPUT = [1, 64, 56, 56];
const WEIGHT = [64, 64, 3, 3];
const OPTIONS = { padding: 1 };
const SOLVERS = ["direct", "register-tile", "implicit-gemm"];
const SAMPLING = { samples: 7, leastSampleMs: 50, mostRepeats: 16 };

interface NodeEntry {
  readonly createEngine: () => Promise<Engine>;
}

/** Takes the marks off the loops of every kernel, so that they are compiled as loops. */
const leaveLoops: Plugin = {
  name: "leave-loops",
  transform: {
    filter: { id: /\.wgsl$/ },
    handler: (code) => ({ code: code.replaceAll(/\s*\/\/ @unroll/g, ""), map: null }),
  },
};

/** Runs `use` with an engine made from the sources, built with these plugins on top of the project's own. */
async function withEngine(plugins: Plugin[], use: (engine: Engine) => Promise<void>): Promise<void> {
  const server = await createServer({
    plugins,
    // Node 20 has no `using`.
    oxc: { target: "es2022" },
    server: { middlewareMode: true, ws: false },
    appType: "custom",
    logLevel: "warn",
  });
  try {
    const { createEngine } = (await server.ssrLoadModule("/src/node.ts")) as NodeEntry;
    using engine = await createEngine();
    await use(engine);
  } finally {
    await server.close();
  }
}

const x = randomValues(
  INPUT.reduce((size, extent) => size * extent),
  1,
);
const w = randomValues(
  WEIGHT.reduce((size, extent) => size * extent),
  2,
);
const problem = makeProblem(2, INPUT, WEIGHT, OPTIONS);
const expected = forward(problem, x, w);
const bound = errorBound(problem, "forward", { x, w });

/** Measures every solver and says whether all results were right. */
async function measureSolvers(engine: Engine): Promise<boolean> {
  using input = engine.tensor(x, INPUT);
  using weight = engine.tensor(w, WEIGHT);
  let right = true;
  for (const solver of SOLVERS) {
    const options = { ...OPTIONS, solver };
    const start = performance.now();
    using y = engine.conv2d(input, weight, options);
    const { pass } = compare(await y.data(), expected, bound);
    const firstMs = performance.now() - start;
    const { medianMs, spread } = await measure(async (repeats) => {
      const timing = await engine.time(() => {
        for (let i = 0; i < repeats; i++) engine.conv2d(input, weight, options).dispose();
      });
      return timing.milliseconds;
    }, SAMPLING);
    const speed = (2 * problem.multiplyAdds) / medianMs / 1e6;
    console.log(
      `${solver.padEnd(13)}  ${medianMs.toFixed(1).padStart(8)} ms ± ${(100 * spread).toFixed(0)}%  ` +
        `${speed.toFixed(2).padStart(6)} GFLOP/s  first call ${firstMs.toFixed(0)} ms  ${pass ? "pass" : "FAIL"}`,
    );
    right &&= pass;
  }
  return right;
}

const verdicts: boolean[] = [];
for (const [loops, plugins] of Object.entries({ "written out": [], left: [leaveLoops] })) {
  await withEngine(plugins, async (engine) => {
    console.log(`${engine.adapter.description}: x [${INPUT.join()}], w [${WEIGHT.join()}], loops ${loops}`);
    verdicts.push(await measureSolvers(engine));
  });
}
process.exitCode = verdicts.every(Boolean) ? 0 : 1;
