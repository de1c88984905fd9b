/** What becomes of subnormal numbers and of -0 in every pass and solver of a device. */
import { ConvError, type ConvOptions, type DType, type Engine, type Tensor } from "webgpu-conv";

/** A product, all else in its sum being 0: both factors, and the product itself. */
interface Probe {
  readonly what: string;
  readonly source: number;
  readonly weight: number;
}

/** The least exponents of normal and of subnormal numbers. */
const LEAST = { float32: { normal: -126, subnormal: -149 }, float16: { normal: -14, subnormal: -24 } } as const;

function probesOf(dtype: DType): Probe[] {
  const { normal, subnormal } = LEAST[dtype];
  const tiny = 2 ** (normal - 4);
  return [
    { what: "subnormal x or dy, times 1", source: 3 * tiny, weight: 1 },
    { what: "subnormal w, or x of a weight gradient, times 1", source: 1, weight: 3 * tiny },
    { what: "the least number, times 1", source: 2 ** subnormal, weight: 1 },
    { what: "subnormal factor, normal product", source: tiny, weight: 2 ** 8 },
    { what: "normal factors, subnormal product", source: 2 ** (normal / 2), weight: 3 * 2 ** (normal / 2 - 4) },
    { what: "-0 times 1", source: -0, weight: 1 },
  ];
}

const SHAPES = { x: [1, 4, 8, 8], w: [4, 4, 3, 3], dy: [1, 4, 8, 8] } as const;
const SIDE = 8;
/** The middle of each plane, and of the filters that lead from a channel to itself. */
const PIXEL = 3 * SIDE + 3;

const PASSES = {
  forward: "conv2d",
  inputGradient: "conv2dInputGradient",
  weightGradient: "conv2dWeightGradient",
} as const;
type Pass = keyof typeof PASSES;

const plane = (value: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: 4 * SIDE * SIDE }, (_, i) => (i % (SIDE * SIDE) === PIXEL ? value : 0));
const filters = (value: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: 144 }, (_, i) => (i % 45 === 4 ? value : 0));

/** The result that is the probe's product alone. */
async function runProbe(
  engine: Engine,
  pass: Pass,
  dtype: DType,
  { source, weight }: Probe,
  solver: ConvOptions["solver"] & {},
): Promise<number> {
  const options = { padding: 1, solver };
  const tensors: Tensor[] = [];
  const make = (values: Float32Array<ArrayBuffer>, shape: readonly number[]): Tensor => {
    const tensor = engine.tensor(values, shape, { dtype });
    tensors.push(tensor);
    return tensor;
  };
  const run = {
    forward: () => engine.conv2d(make(plane(source), SHAPES.x), make(filters(weight), SHAPES.w), options),
    inputGradient: () =>
      engine.conv2dInputGradient(make(plane(source), SHAPES.dy), make(filters(weight), SHAPES.w), SHAPES.x, options),
    weightGradient: () =>
      engine.conv2dWeightGradient(make(plane(source), SHAPES.dy), make(plane(weight), SHAPES.x), SHAPES.w, options),
  }[pass];
  try {
    const result = run();
    tensors.push(result);
    return (await result.data())[pass === "weightGradient" ? 4 : PIXEL];
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

/** What a device makes of a probe, by pass and solver. */
export interface Outcome {
  readonly dtype: DType;
  readonly what: string;
  readonly where: string;
  readonly became: "kept" | "0" | "-0" | "another number";
}

function nameResult(actual: number, wanted: number): Outcome["became"] {
  if (Object.is(actual, wanted)) return wanted === 0 ? "-0" : "kept";
  return actual === 0 ? (Object.is(actual, -0) ? "-0" : "0") : "another number";
}

/** Measures every pass and solver; those that do not take the layer are left out. */
export async function measureTiny(engine: Engine): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const dtype of ["float32", "float16"] as const) {
    for (const pass of Object.keys(PASSES) as Pass[]) {
      const shapes = { input: SHAPES.x, weight: SHAPES.w };
      const { solver, refused } = engine.explain(PASSES[pass], shapes, { padding: 1, dtype });
      for (const name of [solver, ...refused.map((other) => other.solver)].sort()) {
        for (const probe of probesOf(dtype)) {
          const actual = await unlessRefused(runProbe(engine, pass, dtype, probe, name));
          if (actual === undefined) break;
          const became = nameResult(actual, probe.source * probe.weight);
          outcomes.push({ dtype, what: probe.what, where: `${pass} by ${name}`, became });
        }
      }
    }
    outcomes.push(...(await measureOthers(engine, dtype)));
  }
  return outcomes;
}

async function unlessRefused(value: Promise<number>): Promise<number | undefined> {
  try {
    return await value;
  } catch (error) {
    if (error instanceof ConvError) return undefined;
    throw error;
  }
}

/** Passes that multiply nothing: a bias gradient, and activations on their own. */
async function measureOthers(engine: Engine, dtype: DType): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { what, source, weight } of probesOf(dtype)) {
    if (weight !== 1) continue;
    using x = engine.tensor(plane(source), SHAPES.x, { dtype });
    using sums = engine.conv2dBiasGradient(x);
    using rectified = engine.activate(x, "relu");
    using leaky = engine.activate(x, { name: "leaky-relu", negativeSlope: 1 });
    const results = { biasGradient: [sums, 0], relu: [rectified, PIXEL], "leaky relu": [leaky, PIXEL] } as const;
    for (const [where, [tensor, at]] of Object.entries(results)) {
      const became = nameResult((await tensor.data())[at], source);
      outcomes.push({ dtype, what, where, became });
    }
    const became = nameResult((await x.data())[PIXEL], source);
    outcomes.push({ dtype, what, where: "a tensor that is written and read", became });
  }
  return outcomes;
}

/** A device's part of the report: a row for each dtype and probe, with what most make of it and who does otherwise. */
export function tinySection(device: string, outcomes: readonly Outcome[]): string {
  const rows = new Map<string, Map<string, string[]>>();
  for (const { dtype, what, where, became } of outcomes) {
    const key = `${dtype} | ${what}`;
    const kinds = rows.get(key) ?? new Map<string, string[]>();
    rows.set(key, kinds.set(became, [...(kinds.get(became) ?? []), where]));
  }
  const lines = [...rows].map(([key, kinds]) => {
    const [[most], ...others] = [...kinds].sort((a, b) => b[1].length - a[1].length);
    const rest = others.map(([became, places]) => `${became}: ${places.join(", ")}`).join("; ");
    return `| ${key} | ${most} | ${rest} |`;
  });
  return [`### ${device}`, "", "| dtype | what | becomes | but |", "| --- | --- | --- | --- |", ...lines, ""].join(
    "\n",
  );
}
