/**
 * Receptive fields: how many positions of a network's input a value is computed from, along each spatial axis. A window of extent k,
 * dilation included, adds (k - 1) times the distance of its source's neighbours, in positions of the input; that distance grows by
 * the stride (Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019).
 */
import type { RoleStorages, TensorStorage } from "../../backend/backend.js";
import type { Reach } from "../../planning/tensorOperation.js";
import { dilatedExtent } from "../../problem/geometry.js";
import { type ConvOperation, sumsProducts } from "../../problem/operation.js";

/** What a result reads, wherever it begins. */
type Window = Pick<Reach, "extent" | "stride">;

interface Field {
  /** Undefined where it is the whole input. */
  readonly extent: readonly number[] | undefined;
  /** Positions of the input between neighbouring values. */
  readonly distance: readonly number[];
}

/** Of axes that nothing has said anything of yet. */
const POINT: Field = { extent: [], distance: [] };
const AXES = [0, 1, 2] as const;

export class Fields {
  readonly #of = new WeakMap<TensorStorage, Field>();

  /** Of the network's input. */
  #samples = 0;

  begin(input: TensorStorage, samples: number): void {
    this.#of.set(input, POINT);
    this.#samples = samples;
  }

  /** Of the results of an operation, which are computed from these operands. Returns it. */
  after(
    reach: Window | "everything" | undefined,
    operands: readonly TensorStorage[],
    results: readonly TensorStorage[],
  ): Field["extent"] {
    const source = this.#widest(operands);
    const field = source && (reach === undefined ? source : grown(source, reach));
    if (field) for (const result of results) this.#of.set(result, field);
    return whole(field);
  }

  afterConvolution(
    operation: ConvOperation,
    operands: RoleStorages,
    results: readonly TensorStorage[],
  ): Field["extent"] {
    const { residual, ...others } = operands;
    const source = this.#widest(Object.values(others));
    if (!source) return undefined;
    const field = sumsProducts(operation) ? grown(source, this.#reachOf(operation)) : source;
    const skipped = residual && this.#of.get(residual);
    for (const result of results) this.#of.set(result, skipped ? widest([field, skipped]) : field);
    return results.length > 0 ? whole(this.#of.get(results[0])) : undefined;
  }

  #reachOf({
    direction,
    problem: { kernel, dilation, stride, batch, input, rank, layout },
  }: ConvOperation): Window | "everything" {
    // A linear layer has rows as positions of one sample. Where these are as many as the network's samples, a row is a whole sample.
    const isLinear = batch === 1 && rank === 1 && layout === "channels-last" && kernel[2] === 1;
    if (isLinear && input[2] === this.#samples) return "everything";
    const extents = kernel.map((taps, axis) => dilatedExtent(taps, dilation[axis]));
    // Of a transposed convolution a result reads every stride-th tap of the filter.
    return direction === "inputGradient"
      ? {
          extent: extents.map((extent, axis) => Math.ceil(extent / stride[axis])),
          stride: stride.map((step) => 1 / step),
        }
      : { extent: extents, stride };
  }

  /** Undefined where none of them is computed from the network's input. */
  #widest(storages: readonly TensorStorage[]): Field | undefined {
    const fields = storages.flatMap((storage) => this.#of.get(storage) ?? []);
    return fields.length > 0 ? widest(fields) : undefined;
  }
}

const at = (values: readonly number[] | undefined, axis: number): number => values?.[axis] ?? 1;

/** A reach, of one to three axes, as that of three: axes that a layer lacks come first. */
const inSpace = (values: readonly number[]): number[] => [...new Array<number>(3 - values.length).fill(1), ...values];

function grown({ extent, distance }: Field, reach: Window | "everything"): Field {
  if (reach === "everything") return { extent: undefined, distance };
  const [window, stride] = [inSpace(reach.extent), inSpace(reach.stride)];
  return {
    extent: extent && AXES.map((axis) => at(extent, axis) + (window[axis] - 1) * at(distance, axis)),
    distance: AXES.map((axis) => at(distance, axis) * stride[axis]),
  };
}

const widest = (fields: readonly Field[]): Field => ({
  extent: fields.some(({ extent }) => !extent)
    ? undefined
    : AXES.map((axis) => Math.max(...fields.map(({ extent }) => at(extent, axis)))),
  distance: AXES.map((axis) => Math.max(...fields.map(({ distance }) => at(distance, axis)))),
});

/** Windows between positions of the input reach into as many as there may be. */
const whole = (field: Field | undefined): Field["extent"] => field?.extent?.map(Math.ceil);
