/**
 * A network cut into tiles: crops of its input, on which the network itself runs. What its layers make of a crop's inner edges, where
 * they find padding in place of neighbours, lies beyond what is wanted of a tile. Each convolution gets the whole's solver, in an order
 * of sums that is the whole's (src/tiled/solvers.ts), and crops begin at multiples of what strides and Winograd's blocks ask for: bits
 * are those of the whole.
 */
import { ArgumentError, LimitError, SolverError, textOf } from "../../base/errors.js";
import { alignDown, leastCommonMultiple, lengthOf, type Span } from "../../problem/axis.js";
import type { DType } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import { combinationsOf } from "../../tiled/combinations.js";
import type { TileHost } from "../../tiled/host.js";
import { readingBytes } from "../../tiled/memory.js";
import { LayerSolver } from "../../tiled/solvers.js";
import { leastUnit } from "./fraction.js";
import type { NetworkStep, NetworkTrace, TraceMemory } from "./networkTrace.js";
import type { ForcedChoice } from "./runForced.js";
import { type Alignments, spansOf, unitOf } from "./spans.js";
import { tensorOrderOf } from "./tensorOrder.js";
import { TileMemory } from "./tileMemory.js";

/** A part of the result along one axis. */
export interface NetworkPart {
  /** Of the result. */
  readonly wanted: Span;
  /** Of the input: what the network runs on. */
  readonly crop: Span;
  /** By value, the position in the whole that is the crop's first. */
  readonly firsts: readonly number[];
}

export type NetworkTile = readonly NetworkPart[];

/** Crops of one shape. */
export interface TileShape {
  readonly key: string;
  readonly bytes: number;
  /** Of the result. */
  readonly extents: readonly number[];
  /** Solvers of the convolutions, in their order. */
  readonly choices: readonly ForcedChoice[];
}

/** Crops of one shape; in words, why there are none. */
type PlannedCrop = { readonly shape: TileShape | string; readonly trace: NetworkTrace } | { readonly shape: string };

/** Traces the network on an input of these extents. */
export type TraceOf = (extents: readonly number[], memory?: TraceMemory) => NetworkTrace;

export class Tiling {
  /** Of the whole. */
  readonly whole: NetworkTrace;
  /** Extents of the result, and multiples of which tiles of it are. */
  readonly extents: readonly number[];
  readonly units: readonly number[];
  readonly #host: TileHost;
  readonly #trace: TraceOf;
  readonly #dtype: DType;
  readonly #solvers: readonly LayerSolver[];
  readonly #alignments: Alignments;
  /** Multiples at which crops begin; and end, counted from the whole's end. */
  readonly #cropUnits: readonly number[];
  readonly #planned = new Map<string, PlannedCrop>();

  /** @param extents of the whole input */
  constructor(host: TileHost, trace: TraceOf, extents: readonly number[], dtype: DType) {
    this.#host = host;
    this.#trace = trace;
    this.#dtype = dtype;
    this.whole = trace(extents);
    const { convolutions, values, steps, output } = this.whole;
    this.#solvers = convolutions.map(({ operation, choice: solver }) => {
      const { problem, direction } = operation;
      return new LayerSolver(host, {
        problem,
        transposed: direction === "inputGradient",
        call: { operation, solver },
      });
    });
    this.#alignments = new Map(convolutions.map((one, index) => [one, this.#solvers[index].alignment]));
    this.#cropUnits = extents.map((_, axis) =>
      steps
        .flatMap((step) => {
          const unit = unitOf(step, this.#alignments, axis);
          return step.makes.map((index) => leastUnit(values[index].pitch[axis], unit));
        })
        .reduce(leastCommonMultiple, 1),
    );
    const result = values[output];
    this.extents = result.extents;
    this.units = result.pitch.map(([numerator, denominator], axis) => {
      return (this.#cropUnits[axis] * denominator) / numerator;
    });
  }

  /** The parts along an axis, for tiles of that extent. */
  parts(axis: number, size: number): readonly NetworkPart[] {
    const extent = this.extents[axis];
    const [{ extents }] = this.whole.values;
    const unit = this.#cropUnits[axis];
    const wanted = Array.from({ length: Math.ceil(extent / size) }, (_, i): Span => {
      return { begin: i * size, end: Math.min(extent, (i + 1) * size) };
    });
    const needed = wanted.map((span): Span => {
      const { begin, end } = spansOf(this.whole, this.#alignments, axis, span)[0] ?? { begin: 0, end: 1 };
      // Layers that halve a crop and double it again give as many positions as they had only where the whole's do.
      return { begin: alignDown(begin, unit), end: extents[axis] - alignDown(extents[axis] - end, unit) };
    });
    // Crops at the edges are as large as others: those of few positions might be planned in another way.
    const least = needed.reduce((most, span) => Math.max(most, lengthOf(span)), 1);
    return wanted.map((span, i) => {
      const begin = Math.min(needed[i].begin, extents[axis] - least);
      const crop = { begin, end: begin + least };
      const firsts = this.whole.values.map(({ pitch }) => (begin * pitch[axis][1]) / pitch[axis][0]);
      return { wanted: span, crop, firsts };
    });
  }

  /** The bytes that the largest tile of these extents takes; in words, why there is no such tile. */
  costOf(sizes: readonly number[]): number | string {
    const parts = sizes.map((size, axis) => this.parts(axis, size));
    let bytes = 0;
    for (const tile of combinationsOf(parts.map((list, axis) => this.#unlike(axis, list)))) {
      const shape = this.shapeOf(tile);
      const refusal = typeof shape === "string" ? shape : this.#differenceIn(tile);
      if (typeof shape === "string" || refusal !== undefined) return refusal ?? "";
      bytes = Math.max(bytes, shape.bytes);
    }
    return bytes;
  }

  /** Positions of the source that tiles of these extents are computed from, in all. */
  workOf(sizes: readonly number[]): number {
    const parts = sizes.map((size, axis) => this.parts(axis, size));
    // Along an axis crops are as long as one another.
    return product(parts.map((list) => list.length * lengthOf(list[0].crop)));
  }

  /** One part each of those that are alike but for their place. */
  #unlike(axis: number, parts: readonly NetworkPart[]): readonly NetworkPart[] {
    const [{ extents }] = this.whole.values;
    const keyOf = ({ crop }: NetworkPart): string =>
      [lengthOf(crop), crop.begin === 0, crop.end === extents[axis]].join();
    return [...new Map(parts.map((part) => [keyOf(part), part])).values()];
  }

  /** A tile's shape; in words, why it cannot be. */
  shapeOf(tile: NetworkTile): TileShape | string {
    return this.#plan(tile).shape;
  }

  #plan(tile: NetworkTile): PlannedCrop {
    const extents = tile.map(({ crop }) => lengthOf(crop));
    const key = extents.join();
    const planned = this.#planned.get(key) ?? this.#planCrop(extents, key);
    this.#planned.set(key, planned);
    return planned;
  }

  #planCrop(extents: readonly number[], key: string): PlannedCrop {
    const memory = new TileMemory(this.#host.backend, this.#solvers);
    let trace: NetworkTrace;
    try {
      trace = this.#trace(extents, memory);
    } catch (error) {
      const isRefusal = error instanceof ArgumentError || error instanceof LimitError || error instanceof SolverError;
      if (!isRefusal) throw error;
      return { shape: `the network does not run on a part of ${extents.join(" x ")} positions: ${textOf(error)}` };
    }
    const { values, output } = trace;
    const [read, made] = [values[0], values[output]].map(({ shape }) => product(shape));
    const bytes = memory.bytes + readingBytes(read, made, this.#dtype);
    const shape = memory.refusal ?? { key, bytes, extents: values[output].extents, choices: memory.choices };
    return { shape, trace };
  }

  /** In words, what the network does on a crop otherwise than on the whole; undefined where there is nothing. */
  #differenceIn(tile: NetworkTile): string | undefined {
    const { whole } = this;
    const planned = this.#plan(tile);
    if (!("trace" in planned)) return planned.shape;
    const { trace } = planned;
    const [{ extents }] = whole.values;
    if (trace.steps.length !== whole.steps.length || trace.values.length !== whole.values.length) {
      return "the network does other operations on a part than on all positions; expected code that does the same for all sizes, or the network on the whole";
    }
    for (const [at, step] of whole.steps.entries()) {
      const refusal = this.#differs(step, trace.steps[at]);
      if (refusal !== undefined) return refusal;
    }
    for (const [axis, { wanted, crop, firsts }] of tile.entries()) {
      const spans = spansOf(whole, this.#alignments, axis, wanted);
      const last = axis - extents.length;
      const isAtEnd = crop.end === extents[axis];
      for (const [at, step] of whole.steps.entries()) {
        const [index] = step.makes;
        const span = spans[index];
        const own = trace.steps.at(at);
        const end = firsts[index] + (trace.values.at(index)?.extents[axis] ?? 0);
        const isWithin = !span || (span.begin >= firsts[index] && span.end <= end);
        const meetsEnd = !isAtEnd || end === whole.values[index].extents[axis];
        if (own && isWithin && meetsEnd && windowKey(step, last) === windowKey(own, last)) continue;
        return `${step.name} has other windows on ${String(lengthOf(crop))} positions along spatial axis ${String(axis)} than on all ${String(extents[axis])}; expected padding and scales that are the same for all sizes, or the network on the whole`;
      }
    }
    return undefined;
  }

  /** In words, how a step on a crop does otherwise than on the whole, wherever the crop lies. */
  #differs(step: NetworkStep, own: NetworkStep): string | undefined {
    if (step.constants !== own.constants) {
      return `${step.name} reads tensors of shapes ${own.constants} on a part, ${step.constants} on the whole; expected weights that are the same for all sizes, or the network on the whole`;
    }
    const [order, ownOrder] = [step, own].map(
      ({ operation }) => operation && tensorOrderOf(operation, this.#host.backend),
    );
    return order === ownOrder
      ? undefined
      : `${step.name} would add in another order on a part than on the whole; expected a larger tile, or the network on the whole`;
  }
}

/**
 * Equal for steps whose windows lie at the same places.
 *
 * @param last the axis counted from the end, -1 for the last one
 */
function windowKey({ window }: NetworkStep, last: number): string {
  if ("convolution" in window) {
    const { kernel, stride, dilation, padBegin, paddingMode } = window.convolution.operation.problem;
    return [paddingMode, ...[kernel, stride, dilation, padBegin].map((values) => values.at(last))].join();
  }
  const { extent, stride, before } = window.reach ?? {};
  return [extent, stride, before].map((values) => values?.at(last)).join();
}

/** Throws for a tile that cannot be. */
export function requireShape(shape: TileShape | string): TileShape {
  if (typeof shape === "string") throw new LimitError(shape);
  return shape;
}
