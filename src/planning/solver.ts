/**
 * Solver: one algorithm for one or more directions. `plan` is pure: it looks at an operation and at a device's
 * capabilities and gives either plain data that says what to dispatch, or a refusal with its reason.
 */
import type { Capabilities } from "./capabilities.js";
import type { Kernel } from "../kernels/kernel.js";
import type { AliasTypes, ConstantValues } from "../kernels/specialize.js";
import type { UniformValues } from "../kernels/uniforms.js";
import type { ConvOperation, Direction, TensorRole } from "../problem/operation.js";

/**
 * Scratch memory of a plan, by what it holds: partial sums of a split, a tensor's values as the solver reads them, or
 * what is between the steps of an algorithm.
 */
export type ScratchName =
  "partials" | "unfolded" | `${TensorRole} converted` | "winograd sources" | "winograd filters" | "winograd sums";

/**
 * What a storage binding is given: the tensor in a role, scratch memory, or nothing of interest ("unused": the
 * kernel declares the binding but its constants keep it from touching it).
 */
export type BindingSource = TensorRole | ScratchName | "unused";

export type Workgroups = readonly [x: number, y: number, z: number];

/** One dispatch of a kernel, as plain data. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly constants: ConstantValues;
  readonly types: AliasTypes;
  readonly uniforms: UniformValues;
  readonly bindings: Readonly<Record<string, BindingSource>>;
  readonly workgroups: Workgroups;
}

export type Scratch = Readonly<Partial<Record<ScratchName, number>>>;

/** Scratch memory of a plan in all, in bytes. */
export function workspaceBytes({ scratchBytes }: SolverPlan): number {
  return Object.values(scratchBytes).reduce((sum, bytes) => sum + bytes, 0);
}

/** Tuning constants of a solver, by name. */
export type SolverConfig = Readonly<Record<string, number>>;

export interface SolverPlan {
  readonly solver: string;
  readonly config: SolverConfig;
  readonly dispatches: readonly Dispatch[];
  /** Bytes of scratch memory, which lives only while the dispatches run. */
  readonly scratchBytes: Scratch;
  /** Tensors that are copied into another form first, or afterwards, in words; none when absent. */
  readonly conversions?: readonly string[];
}

export interface Refusal {
  /** Why the solver cannot do this, with the values that decide it. */
  readonly refused: string;
}

export interface Solver {
  readonly name: string;
  readonly directions: readonly Direction[];
  /**
   * Whether sums of products of small integers come out exact with these tuning constants, as they do where nothing but
   * the order of the sum is up to the solver. True when absent.
   */
  isExact?(config: SolverConfig, operation: ConvOperation): boolean;
  /** Whether it reads an image's pixels as they are. Otherwise they are converted first. */
  readonly readsPixels?: boolean;
  /** Whether its kernels use workgroup memory and barriers. Devices that these do not pay on take long to compile them. */
  readonly usesWorkgroupMemory?: boolean;
  /** Tuning constants that a caller may give and no candidate need have. */
  readonly optionalConstants?: readonly string[];
  /** Tuning candidates, the default for this operation and device first. */
  configs(operation: ConvOperation, capabilities: Capabilities): readonly SolverConfig[];
  /** A plan with these tuning constants, or why there is none. */
  plan(operation: ConvOperation, capabilities: Capabilities, config: SolverConfig): SolverPlan | Refusal;
  /** Why the solver, though able, should not be chosen for this; undefined when it should. */
  discouraged?(operation: ConvOperation, capabilities: Capabilities): string | undefined;
}

export const isRefusal = (outcome: SolverPlan | Refusal): outcome is Refusal => "refused" in outcome;

type Values<Name extends string, Value> = Readonly<Record<Name, Value>>;

/** `Given`, which has the names of `Values` and no others; what was put together by spreading is looked through. */
type Exactly<Given, Values> = Given & Values & Readonly<Record<Exclude<keyof Given, keyof Values>, never>>;

/**
 * Builds a {@link Dispatch}, with every name of a constant, alias, field or binding checked against the kernel's reflected
 * interface: one that it lacks does not compile, nor does one that is missing. No constant silently keeps the file's value.
 */
export function dispatch<
  Constant extends string,
  Field extends string,
  Binding extends string,
  Alias extends string,
  Constants extends object,
  Types extends object,
  Uniforms extends object,
  Bindings extends object,
>(
  kernel: Kernel<Constant, Field, Binding, Alias>,
  parts: {
    readonly constants: Exactly<Constants, Values<NoInfer<Constant>, number | boolean>>;
    readonly types: Exactly<Types, Values<NoInfer<Alias>, string>>;
    readonly uniforms: Exactly<Uniforms, Values<NoInfer<Field>, number | readonly number[]>>;
    readonly bindings: Exactly<Bindings, Values<NoInfer<Binding>, BindingSource>>;
    readonly workgroups: Workgroups;
  },
): Dispatch {
  return { kernel, ...parts };
}

/** `constants` without some: a description that kernels share says more than each of them asks. */
export function without<Constants extends object, Name extends keyof Constants>(
  constants: Constants,
  ...names: readonly Name[]
): Omit<Constants, Name> {
  const others = { ...constants };
  for (const name of names) Reflect.deleteProperty(others, name);
  return others;
}

/** Folds a one-dimensional count of workgroups into a grid that keeps within the device's limit. */
export function foldWorkgroups(count: number, capabilities: Capabilities): Workgroups {
  const limit = capabilities.limits.maxComputeWorkgroupsPerDimension;
  const rows = Math.ceil(count / limit);
  return [Math.ceil(count / rows), rows, 1];
}
