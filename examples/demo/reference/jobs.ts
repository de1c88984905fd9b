/** What the page asks of the worker that runs the CPU reference, and what it answers. */
import type { ConvOptions } from "webgpu-conv";
import type { Comparison } from "webgpu-conv/reference";
import type { Pass } from "../../benchmark/passes.js";

/** A layer at the size at which it is run. */
export interface LayerShapes {
  /** `[N, C, H, W]` */
  readonly input: readonly number[];
  /** `[K, C / groups, kH, kW]` */
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

/** Passes over layers, on values of the worker's own, all of them so many times: answered with the milliseconds it took. */
export interface TimeJob {
  readonly layers: readonly LayerShapes[];
  readonly passes: readonly Pass[];
  readonly repeats: number;
}

/** A pass to be checked: the values that it reads, and what the device made of them. */
export interface CheckJob {
  readonly layer: LayerShapes;
  readonly pass: Pass;
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly dy: Float32Array;
  readonly actual: Float32Array;
  /** Where Winograd's tiles computed it: their extent, which its bound depends on. */
  readonly tile: 2 | 4 | undefined;
}

export type Checked = Pick<Comparison, "pass" | "maxError" | "bound">;

export interface Jobs {
  readonly time: { readonly job: TimeJob; readonly answer: number };
  readonly check: { readonly job: CheckJob; readonly answer: Checked };
}
export type JobKind = keyof Jobs;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

/** A message to the worker. */
export type Request = { readonly [Kind in JobKind]: { readonly kind: Kind; readonly job: Jobs[Kind]["job"] } }[JobKind];
