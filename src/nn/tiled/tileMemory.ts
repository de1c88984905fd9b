/** Plans what a network does with a tile, and counts the memory that it takes. */
import { tensorRefusal } from "../../backend/limits.js";
import { type Backend, memoryOf, type TensorStorage } from "../../backend/backend.js";
import { selectTensorSolver, type TensorOperation } from "../../planning/tensorOperation.js";
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import { type ConvOperation, resultRoles, shapeOfRole, sumsProducts } from "../../problem/operation.js";
import type { SolverPlan } from "../../planning/solver.js";
import { BatchMemory } from "../../tiled/memory.js";
import { bound } from "../../tiled/partition.js";
import type { LayerSolver, PlannedTile } from "../../tiled/solvers.js";
import type { TraceMemory } from "./networkTrace.js";
import type { ForcedChoice } from "./runForced.js";

export class TileMemory implements TraceMemory {
  /** Solvers of the convolutions, in their order. */
  readonly choices: ForcedChoice[] = [];
  /** In words, why the tile cannot be; undefined where it can. */
  refusal: string | undefined;
  readonly #backend: Backend;
  readonly #solvers: readonly LayerSolver[];
  readonly #batch = new BatchMemory();
  readonly #taken = new Map<TensorStorage, number>();

  /** @param solvers of the whole's convolutions */
  constructor(backend: Backend, solvers: readonly LayerSolver[]) {
    this.#backend = backend;
    this.#solvers = solvers;
  }

  /** Of a batch that runs the tile. */
  get bytes(): number {
    return this.#batch.bytes;
  }

  /** The host writes it: its memory serves others only once the batch is submitted. */
  onInput({ bytes }: TensorStorage): void {
    this.#batch.take(bytes);
  }

  onConvolution(operation: ConvOperation, results: readonly TensorStorage[]): void {
    const index = this.choices.length;
    const shape = shapeOfRole(operation, resultRoles(operation)[0]);
    const planned = this.#planFor(operation, index);
    this.choices.push({ problem: operation.problem.key, choice: planned?.choice });
    if (planned) this.#run(planned.plan.scratchBytes, results);
    else
      this.#refuse(
        `convolution ${String(index)} would add in another order for ${shape.join(" x ")} than for the whole; expected a larger tile, or the network on the whole`,
      );
    this.#refuse(tensorRefusal("a tile's result", shape, BYTES_PER_ELEMENT[operation.dtype], bound(this.#backend)));
  }

  /** Activations have no sums whose order the whole's solver would have to keep. */
  #planFor(operation: ConvOperation, index: number): PlannedTile | undefined {
    if (sumsProducts(operation)) return this.#solvers.at(index)?.planFor(operation);
    return { plan: this.#backend.select(operation, undefined).plan, choice: undefined };
  }

  onTensors(operation: TensorOperation, results: readonly TensorStorage[]): void {
    const { capabilities, faulty } = this.#backend;
    for (const { shape, dtype } of Object.values(operation.results))
      this.#refuse(tensorRefusal("a tile's result", shape, BYTES_PER_ELEMENT[dtype], bound(this.#backend)));
    this.#run(capabilities ? selectTensorSolver(operation, capabilities, faulty).plan.scratchBytes : {}, results);
  }

  onRelease(storage: TensorStorage): void {
    const size = this.#taken.get(storage);
    if (size !== undefined && memoryOf(storage) === storage) this.#batch.giveBack(size);
    this.#taken.delete(storage);
  }

  #run(scratchBytes: SolverPlan["scratchBytes"], results: readonly TensorStorage[]): void {
    const sizes = this.#batch.run(
      scratchBytes,
      results.map(({ bytes }) => bytes),
    );
    for (const [i, result] of results.entries()) this.#taken.set(result, sizes[i]);
  }

  #refuse(reason: string | undefined): void {
    this.refusal ??= reason;
  }
}
