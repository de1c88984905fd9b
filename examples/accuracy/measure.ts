/** Runs every solver of every pass of a layer, and compares with float64. */
import { ConvError, type ConvOptions, type DType, type Engine, type Tensor } from "webgpu-conv";
import { longestChain, makeProblem, referencePass, termsOf } from "webgpu-conv/reference";
import { passBound } from "../benchmark/passBound.js";
import { randomValues } from "../benchmark/random.js";
import { type Errors, errorsOf } from "./errors.js";
import type { AccuracyLayer } from "./layers.js";

const PASSES = {
  forward: "conv2d",
  inputGradient: "conv2dInputGradient",
  weightGradient: "conv2dWeightGradient",
} as const;
type Pass = keyof typeof PASSES;

export interface Row {
  readonly layer: string;
  readonly pass: string;
  readonly terms: number;
  readonly chain: number;
  readonly dtype: DType;
  readonly solver: string;
  readonly errors: Errors;
}

interface Operands {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly dy: Tensor;
}

/** The rows of a layer. */
export async function measureLayer(engine: Engine, layer: AccuracyLayer, tell: (what: string) => void): Promise<Row[]> {
  const problem = makeProblem(2, layer.input, layer.weight, layer.options);
  const rows: Row[] = [];
  for (const dtype of layer.dtypes) {
    const made = [problem.inputShape, problem.weightShape, problem.outputShape].map((shape, seed) =>
      engine.tensor(
        randomValues(
          shape.reduce((size, extent) => size * extent, 1),
          seed + 1,
        ),
        shape,
        { dtype },
      ),
    );
    const [x, w, dy] = made;
    // As they are stored: float16 has rounded them.
    const values = { x: await x.data(), w: await w.data(), dy: await dy.data() };
    for (const pass of Object.keys(PASSES) as Pass[]) {
      tell(`${layer.name}, ${pass}, ${dtype}`);
      const common = { layer: layer.name, pass, dtype, terms: termsOf(problem, pass) };
      const exact = referencePass(problem, pass, values);
      for (const solver of solversOf(engine, layer, pass)) {
        const actual = await runPass(engine, pass, layer, { x, w, dy }, solver);
        if (actual === undefined) continue;
        const errors = errorsOf(actual, exact, passBound(problem, pass, values, solver), dtype);
        rows.push({ ...common, chain: longestChain(common.terms), solver: nameOf(solver), errors });
      }
    }
    for (const tensor of made) tensor.dispose();
  }
  return rows;
}

type Choice = NonNullable<ConvOptions["solver"]>;

const nameOf = (choice: Choice): string =>
  typeof choice === "string" ? choice : `${choice.name}, tiles of ${String(choice.config?.tile)}`;

/** Every solver of a pass by its default, and Winograd's tiles all. */
function solversOf(engine: Engine, { input, weight, options }: AccuracyLayer, pass: Pass): Choice[] {
  const { solver, refused } = engine.explain(PASSES[pass], { input, weight }, options);
  const names = [solver, ...refused.map((other) => other.solver)].sort();
  return names.flatMap((name): Choice[] =>
    name === "winograd" ? [2, 4].map((tile) => ({ name, config: { tile } })) : [name],
  );
}

/** The result, or undefined where the solver does not take it. */
async function runPass(
  engine: Engine,
  pass: Pass,
  layer: AccuracyLayer,
  { x, w, dy }: Operands,
  solver: Choice,
): Promise<ArrayLike<number> | undefined> {
  const options: ConvOptions = { ...layer.options, solver };
  const run = {
    forward: () => engine.conv2d(x, w, options),
    inputGradient: () => engine.conv2dInputGradient(dy, w, layer.input, options),
    weightGradient: () => engine.conv2dWeightGradient(dy, x, layer.weight, options),
  }[pass];
  try {
    const result = run();
    const values = await result.data();
    result.dispose();
    return values;
  } catch (error) {
    if (error instanceof ConvError) return undefined;
    throw error;
  }
}

/** Relative error of a weight whose terms are all 0.1 * 0.3, by solver; in float32. */
export async function measureEqual(engine: Engine, shape: readonly number[]): Promise<Map<string, number>> {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const layer = { name: "", input: shape, weight: [1, 1, 1, 1], options: {}, dtypes: [] };
  const [dy, x] = [0.1, 0.3].map((value) => engine.tensor(new Float32Array(size).fill(value), shape));
  const exact = size * Math.fround(0.1) * Math.fround(0.3);
  const found = new Map<string, number>();
  for (const solver of solversOf(engine, layer, "weightGradient")) {
    const values = await runPass(engine, "weightGradient", layer, { x, w: x, dy }, solver);
    if (values !== undefined) found.set(nameOf(solver), Math.abs(values[0] - exact) / exact);
  }
  dy.dispose();
  x.dispose();
  return found;
}
