/** Random layers of small integers, with every result known. */
import { forward, inputGradient, makeProblem, weightGradient } from "webgpu-conv/reference";
import { type Random, Random as Generator } from "../../test/support/data.js";
import { randomProblem, type RandomProblem } from "../../test/support/randomProblem.js";

export type Role = "x" | "w" | "dy";
export type Values = Float32Array<ArrayBuffer>;

const LAYERS = 300;
/** So many sets of values each role may hold. */
export const SETS = 2;
/** Layers of more multiply-adds would take most of the time. */
const MOST_WORK = 400_000;

const product = (extents: readonly number[]): number => extents.reduce((all, extent) => all * extent, 1);

/** A layer, its values and what the reference makes of them. */
export class Layer {
  readonly problem;
  readonly #known = new Map<string, Float32Array | Float64Array>();

  constructor(readonly described: RandomProblem) {
    this.problem = makeProblem(2, described.input, described.weight, described.options);
  }

  shapeOf(role: Role): readonly number[] {
    const { inputShape, weightShape, outputShape } = this.problem;
    return { x: inputShape, w: weightShape, dy: outputShape }[role];
  }

  /** Integers of at most 1: every sum is an integer. */
  valuesOf(role: Role, set: number): Values {
    return this.#keep(`${role} ${String(set)}`, () => {
      const random = new Generator(product(this.shapeOf(role)) + set);
      return Float32Array.from({ length: product(this.shapeOf(role)) }, () => random.integer(-1, 1));
    });
  }

  forward(x: number, w: number): Float64Array {
    return this.#keep(`y ${String(x)} ${String(w)}`, () =>
      forward(this.problem, this.valuesOf("x", x), this.valuesOf("w", w)),
    );
  }

  inputGradient(dy: number, w: number): Float64Array {
    return this.#keep(`dx ${String(dy)} ${String(w)}`, () =>
      inputGradient(this.problem, this.valuesOf("dy", dy), this.valuesOf("w", w)),
    );
  }

  weightGradient(dy: number, x: number): Float64Array {
    return this.#keep(`dw ${String(dy)} ${String(x)}`, () =>
      weightGradient(this.problem, this.valuesOf("dy", dy), this.valuesOf("x", x)),
    );
  }

  #keep<Result extends Float32Array | Float64Array>(key: string, compute: () => Result): Result {
    const known = this.#known.get(key) as Result | undefined;
    if (known) return known;
    const values = compute();
    this.#known.set(key, values);
    return values;
  }
}

export function makeLayers(random: Random): readonly Layer[] {
  const layers: Layer[] = [];
  while (layers.length < LAYERS) {
    const described = randomProblem(random);
    const layer = new Layer(described);
    if (product(layer.problem.outputShape) * product(described.weight.slice(1)) <= MOST_WORK) layers.push(layer);
  }
  return layers;
}
