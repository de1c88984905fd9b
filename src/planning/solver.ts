/**
 * Solver: one algorithm for one or more directions. `plan` is pure. From an operation and a device's capabilities it makes
 * either plain data that says what to dispatch, or a refusal with its reason.
 */
import type { Capabilities } from "./capabilities.js";
import { configRefusal, type Knobs } from "./knobs.js";
import type { Pieces } from "./pieces.js";
import type { Kernel } from "../kernels/kernel.js";
import type { AliasTypes, ConstantValues } from "../kernels/specialize.js";
import type { UniformValues } from "../kernels/uniforms.js";
import type { ConvOperation, Direction, TensorRole } from "../problem/operation.js";

/**
 * Scratch memory of a plan, by what it holds: partial sums of a split, a tensor in the form that the solver reads, or
 * intermediate results of an algorithm.
 */
export type ScratchName =
  | "partials"
  | "unfolded"
  | "weights packed"
  | `${TensorRole} packed`
  | `${TensorRole} converted`
  | `${TensorRole} piece`
  | "winograd sources"
  | "winograd filters"
  | "winograd sums"
  | "sums"
  | "statistics";

/** A tensor of an operation that names its own (tensorOperation.ts). */
export type NamedTensor = `tensor ${string}`;

/**
 * What is bound to a storage binding: the tensor in a role, or scratch memory. "unused": the kernel declares the binding, and
 * with these constants it does not use it.
 */
export type BindingSource = TensorRole | NamedTensor | ScratchName | "unused";

export type Workgroups = readonly [x: number, y: number, z: number];

/** One dispatch of a kernel, as plain data. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly constants: ConstantValues;
  readonly types: AliasTypes;
  readonly uniforms: UniformValues;
  readonly bindings: Readonly<Record<string, BindingSource>>;
  readonly workgroups: Workgroups;
  /**
   * Multiply-adds of all its workgroups' threads, with those in vain: beyond the edge of a tile, of a tap that a phase lacks, of
   * threads without a result. Absent where it sums no products.
   */
  readonly multiplyAdds?: number;
  /** Whether it changes nothing while weights are finite, and may then be left out. Not when absent. */
  readonly repairs?: boolean;
  /** What a typical device of the class takes for it, roughly, by `duration.ts`. Absent before it is selected. */
  readonly milliseconds?: number;
}

export type Scratch = Readonly<Partial<Record<ScratchName, number>>>;

/** Bytes of all scratch memory of a plan. */
export function workspaceBytes({ scratchBytes }: SolverPlan): number {
  return Object.values(scratchBytes).reduce((sum, bytes) => sum + bytes, 0);
}

/** A solver's knobs by name, as callers, plans and stores have them: not yet checked. */
export type SolverConfig = Readonly<Record<string, number>>;

export interface SolverPlan {
  readonly solver: string;
  readonly config: SolverConfig;
  readonly dispatches: readonly Dispatch[];
  /** Bytes of scratch memory, which lives only while the dispatches run. */
  readonly scratchBytes: Scratch;
  /** Multiply-adds that its algorithm needs, where these are not the problem's. */
  readonly neededMultiplyAdds?: number;
  /** How many times the predicted duration the device takes: its dispatches were cut into parts by that. 1 when absent. */
  readonly slowness?: number;
  /** Tensors that are copied into another form before or afterwards, in words; none when absent. */
  readonly conversions?: readonly string[];
  /** Where operands are packed pairs of float16 (ConvOperation.halves): whether results are written so, too. Not when absent. */
  readonly packsResults?: boolean;
  /** Where it runs in pieces: `dispatches` are then those of all of them. */
  readonly pieces?: Pieces<SolverPlan> | undefined;
}

export interface Refusal {
  /** Why the solver cannot plan this, with the values that decide it. */
  readonly refused: string;
}

/** A solver that was not chosen. */
export interface PassedOver {
  readonly solver: string;
  readonly reason: string;
}

/** Knows plans whose kernels do not work on a device. */
export interface FaultyPlans {
  /** Why a plan is not to be used; undefined where it may be. */
  refusal(plan: SolverPlan): string | undefined;
}

/** What a solver dispatches. `listed` adds its name and configuration. */
export type Steps = Pick<SolverPlan, "dispatches" | "scratchBytes" | "neededMultiplyAdds" | "packsResults">;

interface SolverTraits {
  readonly name: string;
  readonly directions: readonly Direction[];
  /** Whether it reads an image's pixels as they are. Otherwise they are converted first. */
  readonly readsPixels?: boolean;
  /** Whether it reads float16 in packed pairs, in shaders without f16. Otherwise they are converted first. */
  readonly readsHalves?: boolean;
  /** Whether its kernels use workgroup memory and barriers. Software devices take long to compile these. */
  readonly usesWorkgroupMemory?: boolean;
  /** Why the solver should not be chosen, though it can plan this; undefined where it may be. */
  discouraged?(operation: ConvOperation, capabilities: Capabilities): string | undefined;
}

/** A solver as its file has it. `Config` is an interface of its knobs, with a line for each. */
export interface Solver<Config extends Readonly<Partial<Record<keyof Config, number>>>> extends SolverTraits {
  readonly knobs: Knobs<Config>;
  /**
   * Whether sums of products of small integers are exact with this configuration. They are where solvers differ only in the
   * order of summation. True when absent.
   */
  isExact?(config: Config, operation: ConvOperation): boolean;
  /** Tuning candidates, the default for this operation and device first. */
  configs(operation: ConvOperation, capabilities: Capabilities): readonly Config[];
  /** Clocks that the device takes with this configuration, by prediction; undefined, or absent, where nothing predicts them. */
  predictClocks?(operation: ConvOperation, capabilities: Capabilities, config: Config): number | undefined;
  /** What is dispatched with this configuration, or why nothing is. */
  plan(operation: ConvOperation, capabilities: Capabilities, config: Config): Steps | Refusal;
}

/** A solver as others see it, among solvers with other knobs. It takes configurations from anywhere and checks them. */
export interface ListedSolver extends SolverTraits {
  readonly knobs: Readonly<Record<string, boolean>>;
  /** For one of its candidates, or a configuration that it plans. */
  isExact(config: SolverConfig, operation: ConvOperation): boolean;
  configs(operation: ConvOperation, capabilities: Capabilities): readonly SolverConfig[];
  /** For one of its candidates. */
  predictClocks?(operation: ConvOperation, capabilities: Capabilities, config: SolverConfig): number | undefined;
  plan(operation: ConvOperation, capabilities: Capabilities, config: SolverConfig): SolverPlan | Refusal;
}

/** The solver with a check of configurations: its own code gets only those of its type. */
export function listed<Config extends Readonly<Partial<Record<keyof Config, number>>>>(
  solver: Solver<Config>,
): ListedSolver {
  return {
    ...solver,
    isExact: (config, operation) => solver.isExact?.(config as Config, operation) ?? true,
    configs: (operation, capabilities) => solver.configs(operation, capabilities) as readonly SolverConfig[],
    predictClocks: (operation, capabilities, config) =>
      solver.predictClocks?.(operation, capabilities, config as Config),
    plan: (operation, capabilities, config) => {
      const refused = configRefusal(solver, config);
      const outcome = refused === undefined ? solver.plan(operation, capabilities, config as Config) : { refused };
      return isRefusal(outcome) ? outcome : { solver: solver.name, config, ...outcome };
    },
  };
}

export const isRefusal = (outcome: Steps | Refusal): outcome is Refusal => "refused" in outcome;

type Values<Name extends string, Value> = Readonly<Record<Name, Value>>;

/** `Given`, which must have the names of `Values` and no others, behind spreads too. */
type Exactly<Given, Values> = Given & Values & Readonly<Record<Exclude<keyof Given, keyof Values>, never>>;

/** The uniform of every kernel that says where a part of a dispatch begins: that is for `parts.ts` to say. */
type FirstWorkgroup = "firstWorkgroup";

/** Bindings of a kernel that a dispatch never touches. Where a device leaves them out, they are not in the kernel's text either. */
export const unusedOf = ({ bindings: declared }: Kernel, bindings: Dispatch["bindings"]): string[] =>
  Object.keys(declared).filter((name) => bindings[name] === "unused");

/**
 * Builds a {@link Dispatch}. The names of constants, aliases, fields and bindings are checked against the kernel's reflected
 * interface: an unknown or missing name does not compile. So no constant silently keeps the file's value.
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
    readonly uniforms: Exactly<Uniforms, Values<Exclude<NoInfer<Field>, FirstWorkgroup>, number | readonly number[]>>;
    readonly bindings: Exactly<Bindings, Values<NoInfer<Binding>, BindingSource>>;
    readonly workgroups: Workgroups;
    readonly multiplyAdds?: number;
  },
): Dispatch {
  return { kernel, ...parts, uniforms: { ...parts.uniforms, firstWorkgroup: 0 } };
}

/** `constants` without some: what several kernels share has more than each of them takes. */
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
  const y = Math.ceil(count / limit);
  return [Math.ceil(count / y), y, 1];
}

/** The plan as it runs while weights are known to be finite. */
export const withoutRepairs = (plan: SolverPlan): SolverPlan => ({
  ...plan,
  dispatches: plan.dispatches.filter(({ repairs }) => repairs !== true),
});
