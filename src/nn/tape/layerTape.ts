/** A tape that records no gradients, but knows which layer is at work. */
import type { Call, Run } from "../../calls/calls.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Step, StepTape } from "./step.js";

export abstract class LayerTape implements StepTape {
  abstract readonly isRecomputing: boolean;
  readonly #layers: string[] = [];
  #draws = 0;

  /** Of the layer that is at work: "layer1.0.conv1". */
  get path(): string {
    return this.#layers.filter((name) => name !== "").join(".");
  }

  abstract runCall(call: Call, shapes: readonly (readonly number[])[] | undefined, run: Run): Tensor[];

  abstract record(step: Step): void;

  enter({ name }: { readonly name: string }): void {
    this.#layers.push(name);
  }

  leave(): void {
    this.#layers.pop();
  }

  draw(): number {
    return this.#draws++;
  }

  checkpoint(compute: () => Tensor): Tensor {
    return compute();
  }

  unrecorded(compute: () => Tensor): Tensor {
    return compute();
  }
}
