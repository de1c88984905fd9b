/** Verdicts about kernels as a store or a caller gives them. */
import type { KernelFault, VerdictData } from "../backend/kernelFault.js";

/** More than a device has kernels, and more than should ever be broken. */
const MOST = { passed: 20_000, faults: 200, characters: 2 ** 20, keyCharacters: 64 };

const REASONS: readonly unknown[] = ["wrong results", "did not compile", "never finished", "lost the device"];

const isText = (value: unknown, most = MOST.characters): value is string =>
  typeof value === "string" && value.length <= most;

/** What is sound of them, at most so much; nothing where they are something else. */
export function readVerdicts(data: unknown): VerdictData {
  const { passed, faults } = (data ?? {}) as Partial<Record<keyof VerdictData, unknown>>;
  const isKey = (value: unknown): value is string => isText(value, MOST.keyCharacters);
  const entries: readonly unknown[] = Array.isArray(faults) ? faults.slice(0, MOST.faults) : [];
  return {
    passed: Array.isArray(passed) ? passed.slice(0, MOST.passed).filter(isKey) : [],
    faults: entries.flatMap((entry) => {
      const [key, given] = Array.isArray(entry) ? (entry as readonly unknown[]) : [];
      const fault = readFault(given);
      return isKey(key) && fault ? [[key, fault] as const] : [];
    }),
  };
}

function readFault(given: unknown): KernelFault | undefined {
  const parts = (given ?? {}) as Partial<Record<keyof KernelFault, unknown>>;
  const { adapter, solver, config, operation, reason, message, report, foundAt } = parts;
  if (!isText(adapter) || !isText(solver) || !isText(operation) || !isText(message) || !isText(report))
    return undefined;
  if (typeof config !== "object" || config === null || !Number.isFinite(foundAt)) return undefined;
  if (!Object.values(config).every(Number.isFinite) || !REASONS.includes(reason)) return undefined;
  return { adapter, solver, config, operation, reason, message, report, foundAt } as KernelFault;
}
