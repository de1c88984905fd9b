/** What a network does, as tiles see it: which positions of its values are computed from which. */
import type { Part, RoleStorages, TensorStorage } from "../../backend/backend.js";
import { require, show } from "../../base/errors.js";
import type { SolverChoice } from "../../planning/choice.js";
import type { Reach, TensorOperation, TensorSpec } from "../../planning/tensorOperation.js";
import type { Layout } from "../../problem/layout.js";
import { type ConvOperation, shapeOfRole } from "../../problem/operation.js";
import { type Fraction, fractionOf, product as productOf } from "./fraction.js";
import { placesOf } from "./places.js";
import type { Watcher } from "../trace/runTraced.js";

/** A tensor of the network that is computed from its input. */
export interface NetworkValue {
  readonly shape: readonly number[];
  /** Extents of its spatial axes. */
  readonly extents: readonly number[];
  /** Positions of the input between its own, along each spatial axis. */
  readonly pitch: readonly Fraction[];
}

/** A convolution of the network. */
export interface TracedConvolution {
  readonly operation: ConvOperation;
  readonly choice: SolverChoice | undefined;
}

/** An operation. Values are indices. */
export interface NetworkStep {
  /** For messages: "maxPool2d of layer features.3". */
  readonly name: string;
  /** What its window goes over. */
  readonly reads: readonly number[];
  /** What it reads at the result's own place, besides. */
  readonly readsInPlace: readonly number[];
  readonly makes: readonly number[];
  readonly window: { readonly convolution: TracedConvolution } | { readonly reach: Reach | undefined };
  /** Undefined of a convolution, and of a part that is no copy. */
  readonly operation?: TensorOperation;
  /** Shapes of what it reads that is not computed from the network's input. */
  readonly constants: string;
}

const NAMES: Readonly<Partial<Record<ConvOperation["direction"], string>>> = {
  forward: "a convolution",
  inputGradient: "a transposed convolution",
  activation: "an activation",
};

/** Tells what becomes of memory, for those who count it. */
export interface TraceMemory {
  onInput(storage: TensorStorage): void;
  onConvolution(operation: ConvOperation, results: readonly TensorStorage[]): void;
  onTensors(operation: TensorOperation, results: readonly TensorStorage[]): void;
  onRelease(storage: TensorStorage): void;
}

/** Follows a network's input through its operations. Throws for those that tiles cannot have. */
export class NetworkTrace implements Watcher {
  readonly unbounded = true;
  readonly values: NetworkValue[] = [];
  readonly steps: NetworkStep[] = [];
  /** Of all steps, in their order. */
  readonly convolutions: TracedConvolution[] = [];
  output = 0;
  readonly #layout: Layout;
  readonly #path: () => string;
  readonly #memory: TraceMemory | undefined;
  readonly #indices = new WeakMap<TensorStorage, number>();
  /** What the network computes besides. */
  readonly #others = new WeakSet<TensorStorage>();

  constructor(layout: Layout, path: () => string, memory?: TraceMemory) {
    this.#layout = layout;
    this.#path = path;
    this.#memory = memory;
  }

  begin(input: TensorStorage, { shape }: TensorSpec): void {
    this.#add(
      input,
      shape,
      this.#extents(shape).map(() => [1, 1] as const),
    );
  }

  end(output: TensorStorage, { shape }: TensorSpec): void {
    require(shape[0] === 1, () => {
      return `the network makes ${show(shape[0])} samples of one: shape ${show([...shape])}; expected one sample, in one tensor`;
    });
    this.output = this.#indexOf(output, shape, "the network's result");
  }

  onConvolution(
    operation: ConvOperation,
    operands: RoleStorages,
    results: readonly TensorStorage[],
    choice: SolverChoice | undefined,
  ): void {
    const convolution = { operation, choice };
    this.#memory?.onConvolution(operation, results);
    this.convolutions.push(convolution);
    const { problem, direction } = operation;
    const transposed = direction === "inputGradient";
    const name = this.#nameOf(NAMES[direction] ?? "a gradient");
    const [sources, others] = this.#sortOut(operands);
    if (sources.length === 0) return;
    const source = transposed ? "y" : "x";
    const other = sources.find(([role]) => role !== source && role !== "residual");
    require(other === undefined && NAMES[direction] !== undefined, () => {
      return `${name} has a ${other?.[0] ?? direction} that is computed from the network's input; expected weights of its own, and the forward pass alone`;
    });
    const constant = others.find(([role]) => role === source || role === "residual");
    require(constant === undefined, () => {
      const role = constant?.[0] as keyof RoleStorages;
      return this.#varies(name, role, shapeOfRole(operation, role));
    });
    const indices = sources.map(([, storage]) => this.#indices.get(storage) ?? 0);
    const main = indices[sources.findIndex(([role]) => role === source)];
    const { shape: known, pitch } = this.values[main];
    const { input, result: resultShape, slides } = placesOf(operation, known, this.#layout);
    for (const [role, storage] of sources) this.#indexOf(storage, role === source ? input : resultShape, name);
    this.#requireLayout(slides ? problem.layout : undefined, name);
    const strides = problem.stride.slice(3 - problem.rank);
    const pitchOfResult = slides
      ? pitch.map((one, axis) => productOf(one, transposed ? [1, strides[axis]] : [strides[axis], 1]))
      : pitch;
    this.#step({
      name,
      reads: slides ? [main] : [],
      readsInPlace: slides ? indices.filter((index) => index !== main) : indices,
      makes: results.map((result) => this.#add(result, resultShape, pitchOfResult)),
      window: slides ? { convolution } : { reach: undefined },
      constants: JSON.stringify(others.map(([role]) => shapeOfRole(operation, role as keyof RoleStorages))),
    });
  }

  onTensors(
    operation: TensorOperation,
    operands: Readonly<Record<string, TensorStorage>>,
    results: readonly TensorStorage[],
  ): void {
    this.#memory?.onTensors(operation, results);
    const { reach, rearranges, mixes, updates = [] } = operation;
    const name = this.#nameOf(operation.name);
    const [sources, others] = this.#sortOut(operands);
    const readsOthers = others.some(([, storage]) => this.#others.has(storage));
    const mixesAll = mixes ? mixes.some((axis) => this.#isSpatial(axis)) : reach === "everything";
    const needsAll = mixesAll || rearranges === true || updates.length > 0;
    require(!readsOthers && !(needsAll && sources.length > 0), () => {
      return `${name} needs all positions of what it reads at once; expected operations that tiles can have: convolutions, pooling, resizing, what works on each position by itself. Run the network on the whole`;
    });
    if (sources.length === 0) return;
    const windows = mixes === undefined && reach !== "everything" ? reach : undefined;
    this.#requireLayout(windows?.layout, name);
    const constants = others.map(([operand]) => operation.operands[operand].shape);
    for (const [i, shape] of constants.entries()) {
      require(this.#isEverywhere(shape), () => this.#varies(name, others[i][0], shape));
    }
    const indices = sources.map(([operand, storage]) =>
      this.#indexOf(storage, operation.operands[operand].shape, name),
    );
    const { pitch } = this.values[indices[0]];
    const strides = windows?.stride.slice(-pitch.length).map((stride) => fractionOf(stride, name));
    const specs = Object.values(operation.results);
    const made = String(this.#extents(specs[0].shape));
    for (const [i, { shape }] of specs.entries()) {
      // Others are for gradients: statistics, which taps were the largest.
      if (shape.length !== specs[0].shape.length || String(this.#extents(shape)) !== made) {
        this.#others.add(results[i]);
        continue;
      }
      this.#step({
        name,
        reads: windows ? indices : [],
        readsInPlace: windows ? [] : indices,
        makes: [
          this.#add(results[i], shape, strides ? pitch.map((one, axis) => productOf(one, strides[axis])) : pitch),
        ],
        window: { reach: windows },
        operation,
        constants: JSON.stringify(constants),
      });
    }
  }

  /** What is computed from the network's input, and what is not. */
  #sortOut(operands: Readonly<Partial<Record<string, TensorStorage>>>) {
    const all = Object.entries(operands).flatMap(([name, storage]) => (storage ? [[name, storage] as const] : []));
    const isValue = ([, storage]: (typeof all)[number]): boolean => this.#indices.has(storage);
    return [all.filter(isValue), all.filter((one) => !isValue(one))] as const;
  }

  /** Throws where windows go over axes that are others here; undefined where there are no windows. */
  #requireLayout(layout: Layout | undefined, name: string): void {
    require(layout === undefined || layout === this.#layout, () => {
      return `${name} is ${String(layout)}; expected ${this.#layout}`;
    });
  }

  /** Whether an axis of a value is one of space. */
  #isSpatial(axis: number): boolean {
    const rank = this.values[0].shape.length;
    return this.#layout === "channels-first" ? axis >= 2 : axis >= 1 && axis < rank - 1;
  }

  /** Whether a tensor has the same values for all positions, aligned with those of the network at the last axis. */
  #isEverywhere(shape: readonly number[]): boolean {
    const missing = this.values[0].shape.length - shape.length;
    return shape.length < 2 || shape.every((extent, axis) => extent === 1 || !this.#isSpatial(axis + missing));
  }

  #varies(name: string, operand: string, shape: readonly number[]): string {
    return `${name} reads ${operand}, of shape ${show([...shape])}, which is not computed from the network's input and differs from position to position; expected values that are the same for all of them, or the network on the whole`;
  }

  onView({ name, shape }: Part, source: TensorStorage, view: TensorStorage): void {
    const index = this.#indices.get(source);
    if (index === undefined) return;
    this.#step({
      name: this.#nameOf(name),
      reads: [],
      readsInPlace: [index],
      makes: [this.#add(view, shape, this.values[index].pitch)],
      window: { reach: undefined },
      constants: "[]",
    });
  }

  onRelease(storage: TensorStorage): void {
    this.#memory?.onRelease(storage);
  }

  /** What a step reads at the result's own place has the result's extents. */
  #step(step: NetworkStep): void {
    const [{ extents, pitch }] = step.makes.map((index) => this.values[index]);
    for (const index of step.readsInPlace) {
      const other = this.values[index];
      const isAlike = extents.every((extent, axis) => {
        const [n, d] = other.pitch[axis];
        return extent === other.extents[axis] && n * pitch[axis][1] === d * pitch[axis][0];
      });
      require(isAlike, () => {
        return `${step.name} makes ${show(extents)} positions of ${show(other.extents)}; expected the same positions: tiles know no others than windows of convolutions, pooling, padding and resizing`;
      });
    }
    this.steps.push(step);
  }

  #add(storage: TensorStorage, shape: readonly number[], pitch: readonly Fraction[]): number {
    const extents = this.#extents(shape);
    require(extents.length === pitch.length, () => {
      return `${this.#nameOf("an operation")} makes a tensor of shape ${show([...shape])}; expected as many axes as the network's input: tiles cannot be flattened`;
    });
    this.#indices.set(storage, this.values.length);
    return this.values.push({ shape, extents, pitch }) - 1;
  }

  /** A tensor that is viewed in another shape keeps its memory. */
  #indexOf(storage: TensorStorage, shape: readonly number[], name: string): number {
    const index = this.#indices.get(storage);
    require(index !== undefined, () => `${name} does not depend on the network's input; expected what does`);
    const known = this.values[index].shape;
    require(known.length === shape.length && known.every((extent, axis) => extent === shape[axis]), () => {
      return `${name} takes shape ${show([...shape])} of a tensor of shape ${show([...known])}; expected it as it is: tiles cannot be reshaped`;
    });
    return index;
  }

  #extents(shape: readonly number[]): readonly number[] {
    return this.#layout === "channels-first" ? shape.slice(2) : shape.slice(1, -1);
  }

  #nameOf(name: string): string {
    const path = this.#path();
    return path === "" ? name : `${name} of layer ${path}`;
  }
}
