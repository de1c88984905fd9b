/** A result cut into tiles of some extents, and what their layers do. */
import { tensorRefusal } from "../backend/limits.js";
import { show } from "../base/errors.js";
import { BYTES_PER_ELEMENT } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { type AxisPart, evenUnitOf, type LayerAxis, lengthOf, partOf, type Span, unitOf } from "../problem/axis.js";
import { combinationsOf } from "./combinations.js";
import type { TileHost } from "./host.js";
import type { Stack } from "./layers.js";
import { tileBytes, type TileStep } from "./memory.js";
import type { LayerSolver } from "./solvers.js";
import { axesOf, channelsMade, channelsRead, operationFor, spansAt, type Tile } from "./tile.js";

/** Spans of so many positions, one after the other. */
const cut = (extent: number, size: number): readonly Span[] =>
  Array.from({ length: Math.ceil(extent / size) }, (_, i) => {
    return { begin: i * size, end: Math.min(extent, (i + 1) * size) };
  });

/** What a tile takes, or in words why there is no such tile. */
export type Cost = { readonly bytes: number } | string;

export class Partitions {
  /** Extents of the result. */
  readonly extents: readonly number[];
  /** Multiples of which tiles must be, and those with which all tiles within are alike. */
  readonly units: readonly number[];
  readonly evenUnits: readonly number[];
  readonly #host: TileHost;
  readonly #stack: Stack;
  readonly #solvers: readonly LayerSolver[];
  readonly #axes: readonly (readonly LayerAxis[])[];
  readonly #steps = new Map<string, readonly TileStep[] | string>();

  constructor(host: TileHost, stack: Stack, solvers: readonly LayerSolver[]) {
    this.#host = host;
    this.#stack = stack;
    this.#solvers = solvers;
    const alignments = solvers.map(({ alignment }) => alignment);
    this.#axes = axesOf(stack, alignments);
    this.extents = this.#axes.map((layers) => layers[layers.length - 1].output);
    this.units = this.#axes.map(unitOf);
    this.evenUnits = this.#axes.map(evenUnitOf);
  }

  /** Parts along an axis, in their order. */
  parts(axis: number, size: number): readonly AxisPart[] {
    return cut(this.extents[axis], size).map((span) => partOf(this.#axes[axis], span));
  }

  /** What a tile in the middle takes: most others are no larger. */
  costWithin(sizes: readonly number[]): Cost {
    const tile = sizes.map((size, axis) => {
      const spans = cut(this.extents[axis], size);
      const middle = spans[Math.floor((spans.length - 1) / 2)];
      return partOf(this.#axes[axis], middle);
    });
    return this.#costOf(tile);
  }

  /** What the largest of all tiles takes. */
  costOfAll(sizes: readonly number[]): Cost {
    let bytes = 0;
    const shapes = sizes.map((size, axis) => [
      ...new Map(this.parts(axis, size).map((part) => [part.key, part])).values(),
    ]);
    for (const tile of combinationsOf(shapes)) {
      const cost = this.#costOf(tile);
      if (typeof cost === "string") return cost;
      bytes = Math.max(bytes, cost.bytes);
    }
    return { bytes };
  }

  #costOf(tile: Tile): Cost {
    const steps = this.stepsOf(tile);
    return typeof steps === "string" ? steps : { bytes: tileBytes(this.#stack, steps) };
  }

  /** Multiply-adds of all tiles of these extents. */
  work(sizes: readonly number[]): number {
    const { layers } = this.#stack;
    const positions = sizes.map((size, axis) => {
      const parts = this.parts(axis, size);
      return layers.map((_, index) => parts.reduce((sum, { spans }) => sum + lengthOf(spans[index + 1]), 0));
    });
    const workOf = ({ problem, transposed }: Stack["layers"][number], index: number): number => {
      const each = problem.multiplyAdds / (transposed ? problem.inputPositions : problem.outputPositions);
      return each * product(positions.map((counts) => counts[index]));
    };
    return layers.reduce((sum, layer, index) => sum + workOf(layer, index), 0);
  }

  /** What a tile's layers do; in words, why they cannot. */
  stepsOf(tile: Tile): readonly TileStep[] | string {
    const key = tile.map((part) => part.key).join(";");
    let steps = this.#steps.get(key);
    if (steps === undefined) this.#steps.set(key, (steps = this.#planSteps(tile)));
    return steps;
  }

  #planSteps(tile: Tile): readonly TileStep[] | string {
    const { layers, dtype } = this.#stack;
    const steps: TileStep[] = [];
    for (const [index, layer] of layers.entries()) {
      const operation = operationFor(this.#stack, tile, index);
      const positions = (at: number): number => product(spansAt(tile, at).map(lengthOf));
      const inputElements = channelsRead(layer) * positions(index);
      const outputElements = channelsMade(layer) * positions(index + 1);
      const most = Math.max(inputElements, outputElements);
      const name = `a part of layers[${String(index)}]`;
      const refusal = tensorRefusal(name, [most], BYTES_PER_ELEMENT[dtype], bound(this.#host.backend));
      if (refusal !== undefined) return refusal;
      const planned = this.#solvers[index].planFor(operation);
      if (!planned) {
        const extents = show(spansAt(tile, index + 1).map(lengthOf));
        return `layers[${String(index)}] would add in another order for parts of ${extents} than for the whole; expected a larger maxBytes, or another solver for this layer`;
      }
      steps.push({ operation, planned, inputElements, outputElements });
    }
    return steps;
  }
}

/** A device that holds no more than it binds: a tile that went in pieces would take more memory than the model of tiles counts. */
export function bound({ adapter, capabilities }: TileHost["backend"]): Parameters<typeof tensorRefusal>[3] {
  const most = capabilities?.limits.maxStorageBufferBindingSize ?? Infinity;
  return { capabilities, adapter: { ...adapter, maxTensorBytes: Math.min(adapter.maxTensorBytes, most) } };
}
