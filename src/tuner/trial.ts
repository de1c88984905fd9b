/** Tries the candidates of one operation on a device: each is checked, then all are raced. */
import type { Backend, RoleStorages } from "../backend/backend.js";
import { NO_ACTIVATION } from "../problem/activation.js";
import { BYTES_PER_ELEMENT, encode } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { type ConvOperation, operandRoles, resultRoles, shapeOfRole } from "../problem/operation.js";
import { withBatch } from "../problem/problem.js";
import { solversFor } from "../solvers/select.js";
import { workspaceBytes } from "../planning/solver.js";
import { integers } from "../vetting/integers.js";
import { generalSolver, runOf } from "./candidates.js";
import type { Candidate } from "./ownCandidate.js";
import { type Contender, race, sampleOf } from "./race.js";

/** What became of a candidate. */
export interface Verdict extends Candidate {
  /** Milliseconds of a run, the median; undefined where it was not measured. */
  readonly milliseconds?: number;
  /** Rounds in which it was measured: a clearly slower one leaves early. */
  readonly rounds?: number;
  /** Why it may not win: it did not run, or its results were wrong. */
  readonly setAside?: string;
}

export interface TrialOptions {
  readonly rounds: number;
  /** For how long the device may be kept from other work. One run of one sample may take longer. */
  readonly sliceMilliseconds: number;
  /** Bytes that operands, results and scratch memory may take. */
  readonly mostBytes: number;
  readonly pause: () => Promise<void>;
}

/** What a trial found. */
export interface Trial {
  /** Samples that were measured: all of the operation's, or as many as memory and time allow. */
  readonly batch: number;
  /** What became of each candidate, in their order; none if one sample takes too much memory. */
  readonly verdicts: readonly Verdict[];
}

/** The general solver reuses no operand. It takes up to so many times as long as the model's choice. */
const SLOWEST = 20;

/** Operands and results of an operation, in bytes. */
function bytesOf(operation: ConvOperation): number {
  const roles = [...operandRoles(operation), ...resultRoles(operation)];
  const elements = roles.reduce((sum, role) => sum + product(shapeOfRole(operation, role)), 0);
  return BYTES_PER_ELEMENT[operation.dtype] * elements;
}

/**
 * Why results are wrong; undefined when they are right. True values are integers, so a wrong one is off by at least 1. An
 * exact solver gives the integers themselves. Another one errs by less than half.
 */
function mismatch(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
  exact: boolean,
): string | undefined {
  for (const [i, values] of expected.entries()) {
    for (let at = 0; at < values.length; at++) {
      const error = Math.abs(actual[i][at] - values[at]);
      if (!(exact ? error === 0 : error < 0.5)) {
        return `element ${String(at)} is ${String(actual[i][at])}; the general solver gives ${String(values[at])}`;
      }
    }
  }
  return undefined;
}

/**
 * Tries `candidates` on tensors of its own. They have as many samples as fit into memory, and as the general solver is likely
 * to take one slice of time for.
 */
export async function tryOut(
  backend: Backend,
  asked: ConvOperation,
  options: TrialOptions,
  candidates: readonly Candidate[],
): Promise<Trial> {
  const { batch } = asked.problem;
  // An activation costs every solver the same, and without it true results are integers. An image is tried as values.
  const operationOf = (samples: number): ConvOperation => ({
    ...asked,
    problem: withBatch(asked.problem, samples),
    activation: NO_ACTIVATION,
    pixels: undefined,
  });
  const [model] = candidates;
  const bytesFor = (samples: number): number => bytesWith(backend, operationOf(samples), model);
  let fitting = batch;
  // The model's choice must take part. Without it any other candidate would win.
  while (fitting > 1 && bytesFor(fitting) > options.mostBytes) fitting = Math.floor(fitting / 2);
  if (bytesFor(fitting) > options.mostBytes) return { batch, verdicts: [] };
  await options.pause();
  const milliseconds = await withOperands(backend, operationOf(1), async (operation, storages) => {
    return await timeOne(backend, operation, storages, model, options);
  });
  const quick = Math.floor(options.sliceMilliseconds / (SLOWEST * milliseconds));
  const samples = Math.max(1, Math.min(fitting, quick));
  const verdicts = await withOperands(backend, operationOf(samples), async (operation, storages) => {
    await options.pause();
    const expected = await resultsOf(backend, operation, storages, { name: generalSolver(operation).name, config: {} });
    const checked: Verdict[] = [];
    const runs = new Map<string, Candidate>();
    for (const candidate of candidates) {
      await options.pause();
      const setAside =
        memoryRefusal(backend, operation, candidate, options) ??
        sameRun(backend, operation, candidate, runs) ??
        (await check(backend, operation, storages, candidate, expected));
      checked.push(setAside === undefined ? candidate : { ...candidate, setAside });
    }
    return await measure(backend, operation, storages, checked, options);
  });
  return { batch: samples, verdicts };
}

/** Bytes of operands, results and scratch memory for a candidate; without scratch memory where it cannot run. */
function bytesWith(backend: Backend, operation: ConvOperation, { name, config }: Candidate): number {
  try {
    return bytesOf(operation) + workspaceBytes(backend.select(operation, { name, config }).plan);
  } catch {
    return bytesOf(operation);
  }
}

/** Calls `use` with operands of the operation, and gives them back afterwards. */
async function withOperands<Result>(
  backend: Backend,
  operation: ConvOperation,
  use: (operation: ConvOperation, storages: RoleStorages) => Promise<Result>,
): Promise<Result> {
  const storages: RoleStorages = {};
  const roles = operandRoles(operation);
  try {
    for (const [i, role] of roles.entries()) {
      const shape = shapeOfRole(operation, role);
      storages[role] = backend.upload(encode(integers(product(shape), i), operation.dtype), shape, operation.dtype);
    }
    return await use(operation, storages);
  } finally {
    for (const role of roles) if (storages[role]) backend.release(storages[role]);
  }
}

function contenderOf(
  backend: Backend,
  operation: ConvOperation,
  storages: RoleStorages,
  { name, config }: Candidate,
): Contender {
  const runOnce = (): void => {
    for (const result of backend.run(operation, storages, { name, config })) backend.release(result);
  };
  return {
    run: async (times) =>
      await backend.time(() => {
        for (let i = 0; i < times; i++) runOnce();
      }),
  };
}

/** Milliseconds of one run, after a first one that compiles; infinite where it cannot run. */
async function timeOne(
  backend: Backend,
  operation: ConvOperation,
  storages: RoleStorages,
  candidate: Candidate,
  options: TrialOptions,
): Promise<number> {
  const contender = contenderOf(backend, operation, storages, candidate);
  const compiles = await contender.run(1).catch(() => undefined);
  const sample = compiles && (await sampleOf(contender, options));
  return sample && "each" in sample ? sample.each : Infinity;
}

/** Why a candidate takes too much memory; undefined when it does not. */
function memoryRefusal(
  backend: Backend,
  operation: ConvOperation,
  candidate: Candidate,
  { mostBytes }: TrialOptions,
): string | undefined {
  const bytes = bytesWith(backend, operation, candidate);
  return bytes > mostBytes ? `it takes ${String(bytes)} bytes; a trial may take ${String(mostBytes)}` : undefined;
}

/** Why a candidate need not be measured: with fewer samples it may run the same as an earlier one. Undefined otherwise. */
function sameRun(
  backend: Backend,
  operation: ConvOperation,
  candidate: Candidate,
  runs: Map<string, Candidate>,
): string | undefined {
  const { name, config } = candidate;
  let run: string;
  try {
    run = runOf(backend.select(operation, { name, config }).plan);
  } catch {
    return undefined;
  }
  const earlier = runs.get(run);
  if (earlier) return `it runs the same as ${earlier.name} ${JSON.stringify(earlier.config)}`;
  runs.set(run, candidate);
  return undefined;
}

async function resultsOf(
  backend: Backend,
  operation: ConvOperation,
  storages: RoleStorages,
  { name, config }: Candidate,
): Promise<Float32Array[]> {
  const results = backend.run(operation, storages, { name, config });
  try {
    return await Promise.all(results.map(async (storage) => await backend.read(storage)));
  } finally {
    for (const storage of results) backend.release(storage);
  }
}

/** Why a candidate may not win; undefined when it may. */
async function check(
  backend: Backend,
  operation: ConvOperation,
  storages: RoleStorages,
  candidate: Candidate,
  expected: readonly Float32Array[],
): Promise<string | undefined> {
  try {
    const solver = solversFor(operation).find(({ name }) => name === candidate.name);
    const actual = await resultsOf(backend, operation, storages, candidate);
    return mismatch(actual, expected, solver?.isExact(candidate.config, operation) ?? true);
  } catch (error) {
    return String(error);
  }
}

async function measure(
  backend: Backend,
  operation: ConvOperation,
  storages: RoleStorages,
  verdicts: readonly Verdict[],
  options: TrialOptions,
): Promise<readonly Verdict[]> {
  const sound = verdicts.filter(({ setAside }) => setAside === undefined);
  const contenders = sound.map((verdict) => contenderOf(backend, operation, storages, verdict));
  const results = await race(contenders, options);
  return verdicts.map((verdict) => {
    const place = sound.indexOf(verdict);
    if (place < 0) return verdict;
    const { median, rounds, failed } = results[place];
    return failed === undefined ? { ...verdict, milliseconds: median, rounds } : { ...verdict, setAside: failed };
  });
}
