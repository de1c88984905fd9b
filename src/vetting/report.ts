/** What whoever maintains a driver, a browser or this library needs to know of a kernel that does not work. */
import { entriesOf } from "../base/entries.js";
import { VERSION } from "../base/version.js";
import { labels } from "../gpu/labels.js";
import { indent } from "../kernels/indent.js";
import { loadKernel } from "../kernels/kernel.js";
import { specialize } from "../kernels/specialize.js";
import type { SolverPlan } from "../planning/solver.js";
import { type ConvOperation, keyOf, shapeOfRole, type TensorRole } from "../problem/operation.js";
import type { FaultReason, KernelFault } from "../backend/kernelFault.js";

export type Inputs = Readonly<Partial<Record<TensorRole, Float32Array<ArrayBuffer>>>>;

/** What was tried, and what came of it. */
export interface Tried {
  readonly operation: ConvOperation;
  readonly plan: SolverPlan;
  readonly platform: string;
  readonly inputs: Inputs;
  readonly results?: { readonly role: TensorRole; readonly got: Float32Array; readonly expected: Float64Array };
}

/** Values beyond these are left out: a report is to be read, and stored. */
const MOST_VALUES = 4096;

export async function makeFault(tried: Tried, reason: FaultReason, message: string): Promise<KernelFault> {
  const { operation, plan, platform } = tried;
  const { solver, config } = plan;
  return {
    adapter: platform,
    solver,
    config,
    operation: labels.ofOperation(operation),
    reason,
    message,
    report: await reportOf(tried, reason, message),
    foundAt: Date.now(),
  };
}

async function reportOf(tried: Tried, reason: FaultReason, message: string): Promise<string> {
  const { operation, plan, platform, inputs, results } = tried;
  const facts = [
    ["adapter", platform],
    ["webgpu-conv", VERSION],
    ["solver", `${plan.solver} ${JSON.stringify(plan.config)}`],
    ["operation", `${labels.ofOperation(operation)} (${keyOf(operation)})`],
    [
      "dispatches",
      plan.dispatches.map(({ kernel, workgroups }) => `${kernel.name} ${workgroups.join("x")}`).join(", "),
    ],
  ];
  const lists: (readonly [name: string, values: ArrayLike<number>])[] = entriesOf(inputs).map(([role, values]) => {
    return [`${role} [${shapeOfRole(operation, role).join(", ")}]`, values] as const;
  });
  if (results) lists.push([`${results.role}, got`, results.got], [`${results.role}, expected`, results.expected]);
  return [
    `# A kernel does not work: ${reason}`,
    message,
    facts.map(([name, fact]) => `- ${name}: ${fact}`).join("\n"),
    ...lists.map(([name, values]) => `## ${name}\n\n${listed(values)}`),
    ...(await textsOf(plan)),
  ].join("\n\n");
}

function listed(values: ArrayLike<number>): string {
  const shown = Array.from({ length: Math.min(values.length, MOST_VALUES) }, (_, i) => String(values[i])).join(" ");
  const left = values.length - MOST_VALUES;
  return left > 0 ? `${shown} ... and ${String(left)} more` : shown;
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
