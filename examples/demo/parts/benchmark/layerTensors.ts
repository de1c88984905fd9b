/** Tensors of a layer on the device, and its passes on them. */
import type { Engine, Tensor } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { OPERATIONS, type Pass } from "../../../benchmark/passes.js";
import { randomValues } from "../../../benchmark/random.js";
import { type CheckJob, sizeOf } from "../../reference/jobs.js";
import type { NamedLayer } from "./job.js";

const FLOAT_BYTES = 4;

/** Dispose of it to free the device's memory. */
export class LayerTensors implements Disposable {
  readonly values: Pick<CheckJob, "x" | "w" | "dy">;
  readonly #tensors: Readonly<Record<"x" | "w" | "dy", Tensor>>;
  readonly #engine: Engine;
  readonly #layer: NamedLayer;

  constructor(engine: Engine, layer: NamedLayer) {
    const { outputShape } = makeProblem(2, layer.input, layer.weight, layer.options);
    const [x, w, dy] = [layer.input, layer.weight, outputShape].map((shape, i) => randomValues(sizeOf(shape), i));
    this.#engine = engine;
    this.#layer = layer;
    this.values = { x, w, dy };
    this.#tensors = {
      x: engine.tensor(x, layer.input),
      w: engine.tensor(w, layer.weight),
      dy: engine.tensor(dy, outputShape),
    };
  }

  run(pass: Pass): Tensor {
    const { input, weight, options } = this.#layer;
    const { x, w, dy } = this.#tensors;
    if (pass === "forward") return this.#engine.conv2d(x, w, options);
    if (pass === "inputGradient") return this.#engine.conv2dInputGradient(dy, w, input, options);
    return this.#engine.conv2dWeightGradient(dy, x, weight, options);
  }

  /** How the engine runs a pass; and bytes that a run holds until it is submitted. */
  explain(pass: Pass) {
    const { input, weight, options } = this.#layer;
    const plan = this.#engine.explain(OPERATIONS[pass], { input, weight }, options);
    const result = { forward: this.values.dy, inputGradient: this.values.x, weightGradient: this.values.w }[pass];
    return { ...plan, heldBytes: FLOAT_BYTES * result.length + plan.workspaceBytes };
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#tensors)) tensor.dispose();
  }
}
