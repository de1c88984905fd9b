/** Tries a plan's kernels on a small problem of integers, beside the reference. */
import type { RoleStorages } from "../backend/backend.js";
import { entriesOf } from "../base/entries.js";
import { ConvError } from "../base/errors.js";
import { loadLazily } from "../base/lazy.js";
import { type DeviceParts, disposeParts, makeParts } from "../gpu/parts.js";
import { CompileError } from "../gpu/pipelines/compile.js";
import type { TrialGround } from "../gpu/pipelines/trial.js";
import { readValues } from "../gpu/reads.js";
import type { GpuStorage } from "../gpu/device/storage.js";
import { runOperation } from "../gpu/runOperation.js";
import { uploadValues } from "../gpu/uploads.js";
import { policyOf } from "../planning/policy.js";
import type { SolverPlan } from "../planning/solver.js";
import { encode } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { decodePixels } from "../problem/images.js";
import { type ConvOperation, keyOf, operandRoles, resultRoles, shapeOfRole } from "../problem/operation.js";
import { BYTES_PER_PIXEL, type Pixels } from "../problem/pixels.js";
import type { Selection } from "../solvers/choose.js";
import { firstMismatch } from "./compare.js";
import { expectedOf } from "./expected.js";
import type { FaultReason } from "../backend/kernelFault.js";
import { integers } from "./integers.js";
import { textKeys } from "./keys.js";
import type { Inputs, Tried } from "./report.js";
import { type Twin, twinOf } from "./twin.js";
import { type Failure, failureOf, type Outcome, type TrialLimits } from "./outcome.js";

export interface TrialOptions extends TrialLimits {
  /** The adapter and the browser, in words. */
  readonly platform: string;
}

/** A trial may take so many times what the system lets a dispatch take, but at least so long: compilers of GPUs take seconds. */
const PATIENCE = { watchdogs: 10, least: 30_000 };
/** Time is counted in ticks: a machine that sleeps meanwhile takes one. */
const TICKS = 30;

/**
 * Runs the plan's kernels on a small problem.
 *
 * @returns "undecided" where no small problem has the same kernels
 * @throws DeviceError where the device fails for other reasons than the kernels
 */
export async function tryOut(
  operation: ConvOperation,
  plan: SolverPlan,
  ground: TrialGround,
  { platform, patience = patienceOf(ground) }: TrialOptions,
): Promise<Outcome> {
  const twin = twinOf(operation, plan, (smaller) => planAs(plan, smaller, ground));
  if (!twin) return "undecided";
  const parts = partsFor(twin, ground);
  const tried: Tried = { ...twin, platform, inputs: inputsOf(twin.operation) };
  try {
    const computing = compute(parts, tried);
    computing.catch(() => undefined);
    const expected = await expectedOf(twin.operation, tried.inputs);
    const got = await within(patience, computing);
    if (!got) {
      const pending = unready(parts, twin);
      const message = `${pending ? "compiling it" : "a small problem"} did not end within ${String(patience / 1000)} seconds`;
      return { ...(await failed(tried, "never finished", message)), text: pending };
    }
    for (const [i, role] of resultRoles(twin.operation).entries()) {
      const wrong = firstMismatch(got[i], expected[i], twin.operation);
      if (!wrong) continue;
      const message = `element ${String(wrong.index)} of a small problem is ${String(wrong.got)}; expected ${String(wrong.expected)}`;
      return await failed(
        { ...tried, results: { role, got: got[i], expected: expected[i] } },
        "wrong results",
        message,
      );
    }
    return "passed";
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    // The error itself is what whoever asked for this solver gets.
    return { ...(await failed(tried, "did not compile", error.message)), error };
  } finally {
    disposeParts(parts);
  }
}

/** The failure of kernels during whose trials the device was lost again and again. */
export async function lossOf(
  operation: ConvOperation,
  plan: SolverPlan,
  platform: string,
  message: string,
): Promise<Failure> {
  return await failed({ operation, plan, platform, inputs: {} }, "lost the device", message);
}

async function failed(tried: Tried, reason: FaultReason, message: string): Promise<Failure> {
  const { makeFault } = await loadLazily("reports", () => import("./report.js"));
  return failureOf(await makeFault(tried, reason, message));
}

/** By the same solver and configuration; undefined where it refuses. */
function planAs(
  { solver: name, config }: SolverPlan,
  operation: ConvOperation,
  { select, capabilities }: TrialGround,
): SolverPlan | undefined {
  try {
    return select(operation, capabilities, { name, config }).plan;
  } catch (error) {
    if (error instanceof ConvError) return undefined;
    throw error;
  }
}

/** Parts of a backend of its own: the engine's work waits for the trial. Kernels are compiled once for both. */
function partsFor({ plan }: Twin, { device, capabilities, pipelines }: TrialGround): DeviceParts {
  const select = (): Selection => ({ plan, passedOver: [] });
  return makeParts(device, capabilities, select, { poolBytes: 0, poison: true, pipelines });
}

function inputsOf(operation: ConvOperation): Inputs {
  const { pixels } = operation;
  const roles = operandRoles(operation).map((role, seed) => {
    const values = role === "x" && pixels ? imageValues(operation, pixels) : undefined;
    return [role, values ?? integers(product(shapeOfRole(operation, role)), seed)] as const;
  });
  return Object.fromEntries(roles);
}

/** The bytes of pixels, of the channels that an image's tensor lacks as well. */
const bytesOfPixels = ({ problem }: ConvOperation): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(integers(BYTES_PER_PIXEL * problem.batch * problem.inputPositions, 0), (value) => 60 * (value + 2));

async function compute(parts: DeviceParts, { operation, inputs }: Tried): Promise<Float32Array[]> {
  const { dtype, pixels, problem } = operation;
  const storages: RoleStorages<GpuStorage> = {};
  for (const [role, values] of entriesOf(inputs)) {
    storages[role] = uploadValues(parts, encode(values, dtype), shapeOfRole(operation, role), dtype);
  }
  if (pixels) {
    const words = new Float32Array(bytesOfPixels(operation).buffer);
    const shape = [problem.batch, problem.inputPositions];
    storages.x = { ...uploadValues(parts, words, shape, "float32"), pixels };
  }
  // What repairs infinite sums must leave finite ones as they are: it takes part where the weights are not known to be finite.
  for (const storage of Object.values(storages)) storage.finite = false;
  const results = runOperation(parts, operation, storages, undefined, keyOf(operation));
  return await Promise.all(results.map((result) => readValues(parts, result)));
}

/** The values of the images that the bytes are. */
function imageValues(operation: ConvOperation, pixels: Pixels): Float32Array<ArrayBuffer> {
  const { batch, inputPositions, inputShape } = operation.problem;
  const bytes = bytesOfPixels(operation);
  const values = new Float32Array(product(inputShape));
  for (let n = 0; n < batch; n++) {
    const image = bytes.subarray(n * BYTES_PER_PIXEL * inputPositions, (n + 1) * BYTES_PER_PIXEL * inputPositions);
    values.set(decodePixels(image, pixels), n * (values.length / batch));
  }
  return values;
}

/** The text of a kernel that has not compiled yet; undefined where all have. */
function unready({ pipelines }: DeviceParts, { plan }: Twin): string | undefined {
  const waiting = plan.dispatches.filter(
    ({ kernel, constants, types }) => !pipelines.get(kernel, constants, types).pipeline,
  );
  return waiting.length > 0 ? textKeys({ ...plan, dispatches: waiting })[0] : undefined;
}

function patienceOf({ capabilities }: TrialGround): number {
  const { watchdogMilliseconds } = policyOf(capabilities).device;
  return Math.max(PATIENCE.least, PATIENCE.watchdogs * watchdogMilliseconds);
}

/** The result; undefined where there is none within so many milliseconds. */
async function within<Result extends object>(
  milliseconds: number,
  result: Promise<Result>,
): Promise<Result | undefined> {
  for (let tick = 0; tick < TICKS; tick++) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pause = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), milliseconds / TICKS);
    });
    const outcome = await Promise.race([result, pause]).finally(() => clearTimeout(timer));
    if (outcome) return outcome;
  }
  return undefined;
}
