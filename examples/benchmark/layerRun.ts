/** One layer at one size: its inputs on the host and on the device, and the three passes over them. */
import type { Engine, SolverChoice, Tensor } from "webgpu-conv";
import { type ConvProblem, makeProblem, type PassOperands } from "webgpu-conv/reference";
import type { Layer } from "./layers.js";
import { OPERATIONS, type Pass } from "./passes.js";
import { randomValues } from "./random.js";
import { type Scale, scaledShapes } from "./scaling.js";

const FLOAT_BYTES = 4;

/** Inputs are uniform in [-1, 1] and the same in every run. Dispose of it to free the device's memory. */
export class LayerRun implements Disposable {
  readonly problem: ConvProblem;
  readonly operands: PassOperands;
  readonly #engine: Engine;
  readonly #options: Layer["options"];
  readonly #x: Tensor;
  readonly #w: Tensor;
  readonly #dy: Tensor;

  constructor(engine: Engine, layer: Layer, scale: Scale) {
    const { input, weight } = scaledShapes(layer, scale);
    this.#engine = engine;
    this.#options = layer.options;
    this.problem = makeProblem(2, input, weight, layer.options);
    const x = randomTensor(engine, this.problem.inputShape, 1);
    const w = randomTensor(engine, this.problem.weightShape, 2);
    const dy = randomTensor(engine, this.problem.outputShape, 3);
    this.operands = { x: x.values, w: w.values, dy: dy.values };
    this.#x = x.tensor;
    this.#w = w.tensor;
    this.#dy = dy.tensor;
  }

  /** Records the pass; the result is the caller's to dispose of. */
  record(pass: Pass, solver?: SolverChoice): Tensor {
    const options = { ...this.#options, ...(solver !== undefined && { solver }) };
    switch (pass) {
      case "forward":
        return this.#engine.conv2d(this.#x, this.#w, options);
      case "inputGradient":
        return this.#engine.conv2dInputGradient(this.#dy, this.#w, this.#x.shape, options);
      case "weightGradient":
        return this.#engine.conv2dWeightGradient(this.#dy, this.#x, this.#w.shape, options);
    }
  }

  /** The engine's plan for the pass. */
  explain(pass: Pass) {
    const shapes = { input: this.#x.shape, weight: this.#w.shape };
    return this.#engine.explain(OPERATIONS[pass], shapes, this.#options);
  }

  /** Bytes of what the pass computes. */
  resultBytes(pass: Pass): number {
    const { problem } = this;
    const shapes = {
      forward: problem.outputShape,
      inputGradient: problem.inputShape,
      weightGradient: problem.weightShape,
    };
    return FLOAT_BYTES * sizeOf(shapes[pass]);
  }

  [Symbol.dispose](): void {
    for (const tensor of [this.#x, this.#w, this.#dy]) tensor.dispose();
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

function randomTensor(engine: Engine, shape: readonly number[], seed: number) {
  const values = randomValues(sizeOf(shape), seed);
  return { values, tensor: engine.tensor(values, shape) };
}
