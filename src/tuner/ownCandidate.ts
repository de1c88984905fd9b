/** Choices that come from elsewhere: they are used where they are among the solver's own tuning candidates. */
import type { Backend } from "../backend/backend.js";
import type { Capabilities } from "../planning/capabilities.js";
import { policyOf } from "../planning/policy.js";
import { isRefusal, type ListedSolver, type SolverConfig } from "../planning/solver.js";
import { unbound } from "../planning/unbound.js";
import type { ConvOperation } from "../problem/operation.js";
import { planFor } from "../solvers/passes/conversions.js";
import { solversFor } from "../solvers/select.js";

export interface Candidate {
  readonly name: string;
  readonly config: SolverConfig;
}

/** Whether two candidates are equal, whatever the order of their knobs. */
export function isSame(a: Candidate, b: Candidate): boolean {
  const names = Object.keys(a.config);
  if (a.name !== b.name || names.length !== Object.keys(b.config).length) return false;
  return names.every((name) => Object.hasOwn(b.config, name) && a.config[name] === b.config[name]);
}

/** What candidates are planned for; undefined on the CPU. Where operations may run in pieces it is a device that binds everything. */
export function plannedOn({
  adapter,
  capabilities,
}: Pick<Backend, "adapter" | "capabilities">): Capabilities | undefined {
  const isInPieces = capabilities && adapter.maxTensorBytes > capabilities.limits.maxStorageBufferBindingSize;
  return isInPieces ? unbound(capabilities) : capabilities;
}

/** The solver's own tuning candidate that equals `wanted`; undefined where there is none, or the solver refuses it. */
export function ownCandidate(
  operation: ConvOperation,
  capabilities: Capabilities,
  wanted: Candidate,
): Candidate | undefined {
  const solver = solversFor(operation).find(({ name }) => name === wanted.name);
  if (!solver || isTooSlow(solver, capabilities)) return undefined;
  const candidates = solver.configs(operation, capabilities).map((config) => ({ name: solver.name, config }));
  const own = candidates.find((candidate) => isSame(candidate, wanted));
  return own && !isRefusal(planFor(solver, operation, capabilities, own.config)) ? own : undefined;
}

/** On software devices kernels in workgroup memory take tens of seconds to compile, and lose by several times. */
export const isTooSlow = ({ usesWorkgroupMemory = false }: ListedSolver, capabilities: Capabilities): boolean =>
  usesWorkgroupMemory && !policyOf(capabilities).workgroupMemoryPays;
