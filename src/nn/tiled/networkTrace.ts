/** What a network does, as tiles see it: which positions of its values are computed from which. */
import type { Part, RoleStorages, TensorStorage } from "../../backend/backend.js";
import { require, show } from "../../base/errors.js";
import type { SolverChoice } from "../../planning/choice.js";
import type { Reach, TensorOperation, TensorSpec } from "../../planning/tensorOperation.js";
import type { Layout } from "../../problem/layout.js";
import { type ConvOperation, resultRoles, shapeOfRole, sumsProducts } from "../../problem/operation.js";
import { type Fraction, fractionOf, product as productOf } from "./fraction.js";
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
    const sources = Object.entries(operands).filter(([, storage]) => this.#indices.has(storage));
    if (sources.length === 0) return;
    const source = transposed ? "y" : "x";
    const other = sources.find(([role]) => role !== source && role !== "residual");
    require(other === undefined && NAMES[direction] !== undefined, () => {
      return `${name} has a ${other?.[0] ?? direction} that is computed from the network's input; expected weights of its own, and the forward pass alone`;
    });
    const resultShape = shapeOfRole(operation, resultRoles(operation)[0]);
    const indexOf = (wanted: string, shape: readonly number[]): number[] =>
      sources.filter(([role]) => role === wanted).map(([, storage]) => this.#indexOf(storage, shape, name));
    const slides = sumsProducts(operation);
    const reads = indexOf(source, transposed ? problem.outputShape : problem.inputShape);
    const readsInPlace = indexOf("residual", resultShape);
    require(problem.layout === this.#layout, () => `${name} is ${problem.layout}; expected ${this.#layout}`);
    const strides = problem.stride.slice(3 - problem.rank);
    const { pitch } = this.values[[...reads, ...readsInPlace][0]];
    const pitchOfResult = pitch.map((one, axis) =>
      slides && reads.length > 0 ? productOf(one, transposed ? [1, strides[axis]] : [strides[axis], 1]) : one,
    );
    this.#step({
      name,
      reads: slides ? reads : [],
      readsInPlace: slides ? readsInPlace : [...reads, ...readsInPlace],
      makes: results.map((result) => this.#add(result, resultShape, pitchOfResult)),
      window: slides ? { convolution } : { reach: undefined },
    });
  }

  onTensors(
    operation: TensorOperation,
    operands: Readonly<Record<string, TensorStorage>>,
    results: readonly TensorStorage[],
  ): void {
    this.#memory?.onTensors(operation, results);
    const { reach, rearranges, updates = [] } = operation;
    const name = this.#nameOf(operation.name);
    const sources = Object.entries(operands).filter(([, storage]) => this.#indices.has(storage));
    const readsOthers = Object.values(operands).some((storage) => this.#others.has(storage));
    const needsAll = reach === "everything" || rearranges === true || updates.length > 0;
    require(!readsOthers && !(needsAll && sources.length > 0), () => {
      return `${name} needs all positions of what it reads at once; expected operations that tiles can have: convolutions, pooling, resizing, what works on each position by itself. Run the network on the whole`;
    });
    if (sources.length === 0 || reach === "everything") return;
    const indices = sources.map(([operand, storage]) =>
      this.#indexOf(storage, operation.operands[operand].shape, name),
    );
    const { pitch } = this.values[indices[0]];
    const axes = this.#extents(this.values[0].shape).length;
    const strides = reach?.stride.slice(-axes).map((stride) => fractionOf(stride, name));
    const [{ shape }] = Object.values(operation.results);
    const makes = [
      this.#add(results[0], shape, strides ? pitch.map((one, axis) => productOf(one, strides[axis])) : pitch),
    ];
    // Others are for gradients: which taps were the largest.
    for (const other of results.slice(1)) this.#others.add(other);
    this.#step({
      name,
      reads: reach ? indices : [],
      readsInPlace: reach ? [] : indices,
      makes,
      window: { reach },
    });
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
