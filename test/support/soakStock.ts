/** The layers of the soak test: small, of integers, with every result known. */
import type { ConvOptions, DType, Tensor } from "webgpu-conv";
import { biasGradient, forward, inputGradient, makeProblem, weightGradient } from "webgpu-conv/reference";
import { product } from "../../src/problem/geometry.js";
import { Random } from "./data.js";

interface Layer {
  readonly name: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

export const FULL: Layer = { name: "full", input: [1, 4, 6, 6], weight: [4, 4, 3, 3], options: { padding: 1 } };
export const DEPTHWISE: Layer = {
  name: "depthwise",
  input: [2, 4, 7, 5],
  weight: [4, 1, 3, 3],
  options: { padding: 1, stride: 2, groups: 4 },
};

export type Role = "x" | "w" | "dy" | "bias";
/** Sets of values a role may hold. */
export const SETS = 4;
/** An input, and which of its role's sets of values it holds. */
export interface Input {
  readonly tensor: Tensor;
  readonly role: Role;
  set: number;
}

/** Something computed, and what it must hold. */
interface Result {
  readonly tensor: Tensor;
  readonly expected: Values;
}

export type Values = Float32Array | Float64Array;

/** A layer in a dtype: its tensors, and what the reference says of them. */
export class Stock {
  readonly inputs: Input[] = [];
  readonly results: Result[] = [];
  readonly problem;
  readonly #known = new Map<string, Values>();

  constructor(
    readonly layer: Layer,
    readonly dtype: DType,
  ) {
    this.problem = makeProblem(2, layer.input, layer.weight, layer.options);
  }

  shapeOf(role: Role): readonly number[] {
    const { inputShape, weightShape, outputShape } = this.problem;
    return { x: inputShape, w: weightShape, dy: outputShape, bias: [weightShape[0]] }[role];
  }

  /** Integers of at most 1, so that every sum is exact in float16, too. */
  valuesOf(role: Role, set: number): Values {
    return this.#keep(`${role}${String(set)}`, () => {
      const random = new Random(product(this.shapeOf(role)) + set);
      return Float32Array.from({ length: product(this.shapeOf(role)) }, () => random.integer(-1, 1));
    });
  }

  forward(x: number, w: number, bias?: number): Values {
    return this.#keep(["forward", x, w, bias].join(), () => {
      const extra = bias === undefined ? {} : { bias: this.valuesOf("bias", bias) };
      const sums = forward(this.problem, this.valuesOf("x", x), this.valuesOf("w", w), extra);
      return bias === undefined ? sums : sums.map((sum) => Math.max(0, sum));
    });
  }

  inputGradient(dy: number, w: number): Values {
    return this.#keep(["dx", dy, w].join(), () =>
      inputGradient(this.problem, this.valuesOf("dy", dy), this.valuesOf("w", w)),
    );
  }

  weightGradient(dy: number, x: number): Values {
    return this.#keep(["dw", dy, x].join(), () =>
      weightGradient(this.problem, this.valuesOf("dy", dy), this.valuesOf("x", x)),
    );
  }

  biasGradient(dy: number): Values {
    return this.#keep(["db", dy].join(), () => biasGradient(this.problem, this.valuesOf("dy", dy)));
  }

  relu(x: number): Values {
    return this.#keep(["relu", x].join(), () =>
      Float32Array.from(this.valuesOf("x", x), (value) => Math.max(0, value)),
    );
  }

  #keep(key: string, compute: () => Values): Values {
    const values = this.#known.get(key) ?? compute();
    this.#known.set(key, values);
    return values;
  }
}
