/** Explanation: the plan of an operation, as data and in words. */
import { BYTES_PER_PIXEL } from "../problem/pixels.js";
import type { PassedOver } from "../planning/solver.js";
import type { Selection } from "../solvers/choose.js";
import type { ConvOperation, Direction, TensorRole } from "../problem/operation.js";
import { operandRoles, resultRoles, shapeOfRole, sumsProducts } from "../problem/operation.js";
import { BYTES_PER_ELEMENT } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import type { NumberList } from "../base/list.js";
import { indent } from "../kernels/indent.js";
import { loadKernel } from "../kernels/kernel.js";
import { specialize } from "../kernels/specialize.js";
import type { Classification } from "../planning/adapter.js";
import type { DeviceClass } from "../planning/devices.js";
import { packingOf } from "../planning/packing.js";
import type { ConvProblem } from "../problem/problem.js";
import {
  type Dispatch,
  type SolverConfig,
  type SolverPlan,
  workspaceBytes,
  type Workgroups,
} from "../planning/solver.js";
import { usefulShare } from "../planning/work.js";

/** Shapes of the forward pass' tensors, whichever pass is explained. */
export interface ExplainShapes {
  /** `[N, C, H, W]` */
  readonly input: NumberList;
  /** `[out, in / groups, kh, kw]` */
  readonly weight: NumberList;
}

export interface ExplainedDispatch {
  readonly kernel: string;
  readonly constants: Readonly<Record<string, number | boolean>>;
  readonly workgroups: Workgroups;
  /** Whether it reads only weights. What it writes may be kept and reused until they change. */
  readonly packsWeights: boolean;
  /** Multiply-adds that its threads execute, with those in vain; 0 where it sums no products. */
  readonly multiplyAdds: number;
  /** What the model predicts, roughly, for a typical device of the class. */
  readonly milliseconds: number;
  /**
   * The WGSL that the device is given, for reading: constants and types set, loops written out, indented. Loaded when it is
   * asked for; not among the properties that JSON and spreading copy.
   */
  readonly code: Promise<string>;
}

class ExplainedStep implements ExplainedDispatch {
  readonly kernel: string;
  readonly constants: ExplainedDispatch["constants"];
  readonly workgroups: Workgroups;
  readonly packsWeights: boolean;
  readonly multiplyAdds: number;
  readonly milliseconds: number;
  readonly #dispatch: Dispatch;

  constructor(dispatch: Dispatch, packsWeights: boolean) {
    this.kernel = dispatch.kernel.name;
    this.constants = dispatch.constants;
    this.workgroups = dispatch.workgroups;
    this.packsWeights = packsWeights;
    this.multiplyAdds = dispatch.multiplyAdds ?? 0;
    this.milliseconds = dispatch.milliseconds ?? 0;
    this.#dispatch = dispatch;
  }

  get code(): Promise<string> {
    const { kernel, constants, types } = this.#dispatch;
    return loadKernel(kernel, constants.FORMULA === true).then((loaded) =>
      indent(specialize(loaded, constants, types)),
    );
  }
}

/** An operation in pieces: each is an operation on parts of the tensors. */
export interface ExplainedPieces {
  /** What the device cannot bind: a tensor, or scratch memory. */
  readonly why: string;
  readonly count: number;
  /** How many pieces there are along each axis that is cut: samples, groups, channels of a group, depth, height, width. */
  readonly along: Readonly<Record<string, number>>;
  /**
   * How many of them compute parts of the same sums, which are then added in this order; 1 where results have the bits of the whole.
   */
  readonly sumParts: number;
}

export type ChosenBy = "model" | "tuning" | "caller";

/** The result of {@link Engine.explain}. `String(explanation)` is its text. */
export interface Explanation {
  readonly direction: Direction;
  readonly problem: ConvProblem;
  /** The solver chosen; "none" where no solver can (see {@link limit}). */
  readonly solver: string;
  readonly config: SolverConfig;
  /** What chose it: the model, without measuring; tuning on this device; or the caller, by name. */
  readonly chosenBy: ChosenBy;
  /** The class of devices that was planned for; undefined on the CPU. */
  readonly deviceClass: DeviceClass | undefined;
  /** By what it was told, in words: `by the name "nvidia ampere"`; undefined on the CPU. */
  readonly classifiedBy: string | undefined;
  /** The solvers not chosen, each with the reason. */
  readonly refused: readonly PassedOver[];
  readonly dispatches: readonly ExplainedDispatch[];
  /** Two for each multiply-add, padding counted. */
  readonly flops: number;
  /**
   * The share of the multiply-adds executed that the algorithm needs: what is beyond the edges of tiles is in vain. Winograd
   * needs fewer than `flops` says. Undefined where no products are summed.
   */
  readonly usefulShare: number | undefined;
  /** Bytes of every operand and result, each once. */
  readonly bytes: number;
  /** flops / bytes */
  readonly arithmeticIntensity: number;
  /** Scratch memory while the operation runs. */
  readonly workspaceBytes: number;
  /**
   * How many times the predicted duration this device takes: 1 before long work has run, then a power of two. Dispatches are cut into
   * parts by it.
   */
  readonly slowness: number;
  /** Tensors that are copied into another form for the solver, in words: "x from float16 to float32". */
  readonly conversions: readonly string[];
  /** How it runs in pieces, where the device cannot bind what it reads or writes as a whole; undefined elsewhere. */
  readonly pieces: ExplainedPieces | undefined;
  /** Why no call can run this on the device: the limit, and what the call would need. Undefined where one can. */
  readonly limit: string | undefined;
  toString(): string;
}

/** Each multiply-add counts two. In a bias gradient and in elementwise passes each element counts one. */
export function flopsOf(operation: ConvOperation): number {
  const { problem } = operation;
  return sumsProducts(operation) ? 2 * problem.multiplyAdds : product(problem.outputShape);
}

/** Bytes of every operand and result of the operation, each once. */
export function bytesOf(operation: ConvOperation): number {
  const roles = [...operandRoles(operation), ...resultRoles(operation)];
  const { dtype, pixels, problem } = operation;
  const bytesOfRole = (role: TensorRole): number => {
    if (role === "x" && pixels) return BYTES_PER_PIXEL * problem.batch * problem.inputPositions;
    return BYTES_PER_ELEMENT[dtype] * product(shapeOfRole(operation, role));
  };
  return roles.reduce((sum, role) => sum + bytesOfRole(role), 0);
}

/** The selection where no solver can plan the operation. */
export const NO_SELECTION: Selection = {
  plan: { solver: "none", config: {}, dispatches: [], scratchBytes: {} },
  passedOver: [],
};

/**
 * @param selection for an empty batch, that of one sample: nothing of it runs
 * @param limit of the device that prevents it
 * @param classification of the device; undefined on the CPU
 */
export function explain(
  operation: ConvOperation,
  selection: Selection,
  chosenBy: ChosenBy = "model",
  limit?: string,
  classification?: Classification,
): Explanation {
  const { passedOver } = selection;
  const nothing = { dispatches: [], scratchBytes: {}, conversions: [], pieces: undefined };
  const plan = operation.problem.batch > 0 ? selection.plan : { ...selection.plan, ...nothing };
  const { direction, problem } = operation;
  const flops = flopsOf(operation);
  const bytes = bytesOf(operation);
  const packing = packingOf(plan)?.steps ?? [];
  const dispatches = plan.dispatches.map((step) => new ExplainedStep(step, packing.includes(step)));
  const explanation = {
    direction,
    problem,
    solver: plan.solver,
    config: plan.config,
    chosenBy,
    deviceClass: classification?.deviceClass,
    classifiedBy: classification?.classifiedBy,
    refused: passedOver,
    dispatches,
    flops,
    usefulShare: usefulShare(operation, plan),
    bytes,
    arithmeticIntensity: flops / bytes,
    workspaceBytes: workspaceBytes(plan),
    slowness: plan.slowness ?? 1,
    conversions: plan.conversions ?? [],
    pieces: plan.pieces && describePieces(plan.pieces),
    limit,
  };
  return Object.assign(explanation, { toString: () => inWords(explanation) });
}

const describePieces = ({ why, along, pieces, sumParts }: NonNullable<SolverPlan["pieces"]>): ExplainedPieces => ({
  why,
  count: pieces.length,
  along,
  sumParts,
});

function piecesInWords({ why, count, along, sumParts }: ExplainedPieces): string {
  const axes = Object.entries(along).map(([axis, pieces]) => `${String(pieces)} along ${axis}`);
  const bits = sumParts > 1 ? `; sums in ${String(sumParts)} parts, added in order` : "";
  return `in ${String(count)} pieces, ${axes.join(", ")}: ${why}${bits}`;
}

function inWords(explanation: Omit<Explanation, "toString">): string {
  const { direction, problem, solver, config, chosenBy, refused, dispatches, conversions } = explanation;
  const { flops, usefulShare, bytes, arithmeticIntensity, workspaceBytes, pieces, limit } = explanation;
  const { deviceClass, classifiedBy } = explanation;
  const executed = dispatches.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
  const settings = Object.entries(config).map(([name, value]) => `${name} ${String(value)}`);
  const geometry =
    `x [${problem.inputShape.join(", ")}], w [${problem.weightShape.join(", ")}], y [${problem.outputShape.join(", ")}], ` +
    `stride ${problem.stride.slice(-problem.rank).join("x")}, dilation ${problem.dilation.slice(-problem.rank).join("x")}, ` +
    `groups ${String(problem.groups)}`;
  return [
    `${direction}: ${geometry}`,
    ...(deviceClass === undefined ? [] : [`device class ${deviceClass}, ${classifiedBy ?? ""}`]),
    ...(limit === undefined ? [] : [`cannot run: ${limit}`]),
    `solver ${solver}${settings.length > 0 ? ` (${settings.join(", ")})` : ""}${chosenBy === "tuning" ? ", tuned" : ""}`,
    ...(pieces ? [piecesInWords(pieces)] : []),
    ...conversions.map((conversion) => `  repacks ${conversion}`),
    ...runsOf(dispatches).map(({ step: { kernel, workgroups, packsWeights }, count }) => {
      const parts = count > 1 ? `${String(count)} times up to ` : "";
      return `  dispatch ${kernel}: ${parts}${workgroups.join(" x ")} workgroups${packsWeights ? ", once the weights changed" : ""}`;
    }),
    ...durationInWords(explanation),
    `${flops.toLocaleString("en")} FLOPs, ${bytes.toLocaleString("en")} bytes, ${arithmeticIntensity.toFixed(1)} FLOPs a byte, ` +
      `${workspaceBytes.toLocaleString("en")} bytes of workspace`,
    ...(usefulShare === undefined
      ? []
      : [
          `${executed.toLocaleString("en")} multiply-adds executed, ${(100 * usefulShare).toFixed(1)} % of them needed`,
        ]),
    ...refused.map(({ solver: other, reason }) => `not ${other}: ${reason}`),
  ].join("\n");
}

/** Dispatches of a kernel one after the other, mostly parts of a long one, with the largest of them. */
function runsOf(dispatches: readonly ExplainedDispatch[]): { step: ExplainedDispatch; count: number }[] {
  const runs: { step: ExplainedDispatch; count: number }[] = [];
  for (const step of dispatches) {
    const last = runs.at(-1);
    if (last?.step.constants !== step.constants) {
      runs.push({ step, count: 1 });
      continue;
    }
    last.count++;
    if (product(step.workgroups) > product(last.step.workgroups)) last.step = step;
  }
  return runs;
}

/** How long it takes by the model, where it tells. */
function durationInWords({ dispatches, slowness, deviceClass }: Omit<Explanation, "toString">): string[] {
  const all = dispatches.map(({ milliseconds }) => milliseconds * slowness);
  const sum = all.reduce((total, one) => total + one, 0);
  if (deviceClass === undefined || sum === 0) return [];
  const measured = slowness === 1 ? "" : `; this device takes ${String(slowness)} times what was predicted`;
  const [total, most] = [sum, Math.max(...all)].map((milliseconds) => milliseconds.toPrecision(2));
  return [`about ${total} ms, ${most} ms a dispatch at most${measured}`];
}
