/** What whoever maintains a driver, a browser or this library needs to know of a kernel that does not work. */
import { entriesOf } from "../base/entries.js";
import { VERSION } from "../base/version.js";
import { labels } from "../gpu/labels.js";
import { indent } from "../kernels/indent.js";
import { loadKernel } from "../kernels/kernel.js";
import { specialize } from "../kernels/specialize.js";
import type { SolverPlan } from "../planning/solver.js";
import { keyOf } from "../problem/operation.js";
import type { FaultReason, KernelFault } from "../backend/kernelFault.js";
import type { TriedOperation } from "../gpu/pipelines/trial.js";
import type { Experiment } from "./experiment.js";

/** What was tried, and what came of it. */
export interface Tried extends Pick<Experiment, "operation" | "plan" | "inputs"> {
  readonly platform: string;
  readonly compared?: { readonly name: string; readonly got: Float32Array; readonly expected: Float64Array };
}

/** Values beyond these are left out of what is compared, and of all inputs together: a report is to be read, and stored. */
const MOST_VALUES = 4096;

export async function makeFault(tried: Tried, reason: FaultReason, message: string): Promise<KernelFault> {
  const { operation, plan, platform } = tried;
  return {
    adapter: platform,
    solver: solverOf(tried),
    config: plan.config,
    operation: inWords(operation),
    reason,
    message,
    report: await reportOf(tried, reason, message),
    foundAt: Date.now(),
  };
}

async function reportOf(tried: Tried, reason: FaultReason, message: string): Promise<string> {
  const { operation, plan, platform, inputs, compared } = tried;
  const facts = [
    ["adapter", platform],
    ["webgpu-conv", VERSION],
    ["solver", `${solverOf(tried)} ${JSON.stringify(plan.config)}`],
    ["operation", `${inWords(operation)} (${"direction" in operation ? keyOf(operation) : operation.key})`],
    [
      "dispatches",
      plan.dispatches.map(({ kernel, workgroups }) => `${kernel.name} ${workgroups.join("x")}`).join(", "),
    ],
  ];
  const share = Math.ceil(MOST_VALUES / Math.max(inputs.length, 1));
  const lists = inputs.map(({ name, shape, values }) => listOf(`${name} [${shape.join(", ")}]`, values, share));
  if (compared) {
    const { name, got, expected } = compared;
    lists.push(listOf(`${name}, got`, got, MOST_VALUES), listOf(`${name}, expected`, expected, MOST_VALUES));
  }
  return [
    `# A kernel does not work: ${reason}`,
    message,
    facts.map(([name, fact]) => `- ${name}: ${fact}`).join("\n"),
    ...lists,
    ...(await textsOf(plan)),
  ].join("\n\n");
}

/** With the operation's name, where that has solvers of its own. */
const solverOf = ({ operation, plan }: Tried): string =>
  "direction" in operation ? plan.solver : `${operation.name} ${plan.solver}`;

const inWords = (operation: TriedOperation): string =>
  "direction" in operation
    ? labels.ofOperation(operation)
    : `${operation.name} of ${entriesOf(operation.operands)
        .map(([name, { shape, dtype }]) => `${name} [${shape.join(", ")}] ${dtype}`)
        .join(", ")}`;

function listOf(name: string, values: ArrayLike<number>, most: number): string {
  const shown = Array.from({ length: Math.min(values.length, most) }, (_, i) => String(values[i])).join(" ");
  const left = values.length - most;
  return `## ${name}\n\n${shown}${left > 0 ? ` ... and ${String(left)} more` : ""}`;
}

async function textsOf({ dispatches }: SolverPlan): Promise<string[]> {
  const texts = new Map<string, string>();
  for (const { kernel, constants, types, uniforms } of dispatches) {
    const loaded = await loadKernel(kernel, constants.FORMULA === true);
    const code = indent(specialize(loaded, constants, types));
    if (!texts.has(code))
      texts.set(code, `## ${kernel.name}\n\nuniforms ${JSON.stringify(uniforms)}\n\n\`\`\`wgsl\n${code}\n\`\`\``);
  }
  return [...texts.values()];
}
