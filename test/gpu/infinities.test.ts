/** Infinite and NaN weights (or output gradients) over zeros of padding: a zero that is no pixel has no product. */
import { makeProblem } from "webgpu-conv/reference";
import { expect } from "vitest";
import type { Capabilities } from "../../src/planning/capabilities.js";
import type { DeviceClass } from "../../src/planning/devices.js";
import { isRefusal } from "../../src/planning/solver.js";
import type { DType } from "../../src/problem/dtype.js";
import type { ConvOperation, TensorRole } from "../../src/problem/operation.js";
import type { ConvProblem } from "../../src/problem/problem.js";
import { planFor } from "../../src/solvers/passes/conversions.js";
import { type Candidate, defaultsOf, isExact } from "../support/candidates.js";
import { smallIntegers } from "../support/data.js";
import { type GpuFixtures, gpuTest } from "../support/gpuTest.js";
import { expectedResults, makeValues, operationName, operationsOf, type RoleValues } from "../support/operations.js";
import { isInTurn } from "../support/turns.js";

const LAYERS: Readonly<Record<string, ConvProblem>> = {
  "3x3": makeProblem(2, [1, 3, 7, 6], [5, 3, 3, 3], { padding: 1 }),
  "3x3 of planes in vectors": makeProblem(2, [1, 4, 8, 8], [8, 4, 3, 3], { padding: 1 }),
  strided: makeProblem(2, [2, 10, 9, 7], [20, 10, 3, 3], { padding: 1, stride: 2 }),
  "dilated, odd padding": makeProblem(2, [1, 4, 9, 8], [4, 4, 3, 3], {
    padding: [
      [3, 1],
      [0, 2],
    ],
    dilation: 2,
  }),
  "1x1": makeProblem(2, [1, 5, 6, 6], [7, 5, 1, 1], {}),
  "padded 1x1": makeProblem(2, [1, 5, 6, 6], [7, 5, 1, 1], { padding: 1 }),
  depthwise: makeProblem(2, [1, 6, 8, 9], [6, 1, 3, 3], { padding: 1, groups: 6 }),
  "channels-last": makeProblem(2, [1, 9, 8, 8], [8, 8, 3, 3], { padding: 1, layout: "channels-last" }),
  // So many sums that a thread looks at several.
  "many channels": makeProblem(2, [1, 72, 5, 5], [40, 72, 3, 3], { padding: 1 }),
  "many channels, output channels last in filters": makeProblem(2, [1, 72, 5, 5], [3, 3, 72, 40], {
    padding: 1,
    weightLayout: "HWIO",
  }),
  "5x5": makeProblem(2, [1, 4, 8, 8], [4, 4, 5, 5], { padding: 2 }),
  "1D": makeProblem(1, [2, 4, 17], [6, 4, 5], { padding: 2 }),
  "3D": makeProblem(3, [1, 3, 4, 5, 6], [4, 3, 3, 2, 3], { padding: 1 }),
  unpadded: makeProblem(2, [1, 16, 7, 9], [8, 16, 3, 3], {}),
  "reflected edge": makeProblem(2, [1, 4, 7, 8], [4, 4, 3, 3], { padding: 1, paddingMode: "reflect" }),
};

/** Layers of the solvers that use workgroup memory: software devices take seconds to compile each of their kernels. */
const IN_WORKGROUP_MEMORY: readonly string[] = ["3x3", "strided", "dilated, odd padding", "channels-last", "1D"];

/** Whether this run takes the candidate of a layer, on this platform. */
function isTaken(
  problem: ConvProblem,
  pass: number,
  index: number,
  { solver }: Candidate,
  capabilities: Capabilities,
): boolean {
  const layer = Object.values(LAYERS).indexOf(problem);
  const [name] = Object.keys(LAYERS).slice(layer);
  const isSlow = capabilities.deviceClass === "software" && solver.usesWorkgroupMemory === true;
  if (isSlow && !IN_WORKGROUP_MEMORY.includes(name)) return false;
  return isInTurn(layer + pass + index, capabilities);
}

const SPECIALS = [Infinity, -Infinity, NaN];

/** Neither plain nor with all that can be fused. */
const isHalfFused = ({ direction, masked, bias }: ConvOperation): boolean =>
  direction === "weightGradient" && masked && !bias;

/** The operand that padding's zeros are multiplied by, and the one that is padded. */
const factorOf = ({ direction }: ConvOperation): TensorRole => (direction === "weightGradient" ? "y" : "w");
const sourceOf = ({ direction }: ConvOperation): TensorRole => (direction === "inputGradient" ? "y" : "x");

/** Of each 11 values one is no finite number. */
function withSpecials(values: RoleValues, role: TensorRole): RoleValues {
  const special = values[role].map((value, i) => (i % 11 === 4 ? SPECIALS[Math.floor(i / 11) % 3] : value));
  return { ...values, [role]: special };
}

function differences(actual: Float32Array, expected: Float64Array, exact: boolean): string | undefined {
  let count = 0;
  let first = "";
  for (const [i, wanted] of expected.entries()) {
    const got = actual[i];
    const same = Number.isFinite(wanted) ? Math.abs(got - wanted) <= (exact ? 0 : 0.25) : Object.is(got, wanted);
    if (same) continue;
    count++;
    first ||= `element ${String(i)} is ${String(got)}; expected ${String(wanted)}`;
  }
  return count === 0 ? undefined : `${String(count)} of ${String(expected.length)}: ${first}`;
}

async function check(
  { runner, capabilities }: Pick<GpuFixtures, "runner" | "capabilities">,
  problem: ConvProblem,
  deviceClass: DeviceClass,
  dtype: DType,
  roleOf: (operation: ConvOperation) => TensorRole = factorOf,
): Promise<string[]> {
  const device: Capabilities = { ...capabilities, deviceClass };
  const values = makeValues(problem, 7, smallIntegers);
  const found: Promise<string[]>[] = [];
  for (const [pass, plain] of operationsOf(problem).entries()) {
    if (plain.direction === "biasGradient" || isHalfFused(plain)) continue;
    const operation: ConvOperation = { ...plain, dtype, repairs: roleOf === factorOf };
    const special = withSpecials(values, roleOf(operation));
    const expected = expectedResults(operation, special);
    const isSource = roleOf === sourceOf;
    // Of Winograd's tiles, infinite sources spread over all results.
    const candidates = defaultsOf(plain, device).filter(({ solver }) => !isSource || solver.name !== "winograd");
    const taken = candidates.filter((candidate, i) => isTaken(problem, pass, i, candidate, capabilities));
    for (const candidate of taken) found.push(one(operation, candidate, special, expected));
  }
  return (await Promise.all(found)).flat();

  async function one(
    operation: ConvOperation,
    candidate: Candidate,
    special: RoleValues,
    expected: readonly Float64Array[],
  ): Promise<string[]> {
    const { solver, config } = candidate;
    const plan = planFor(solver, operation, device, config);
    if (isRefusal(plan)) return [];
    const results = await runner.run(operation, plan, special);
    return expected.flatMap((wanted, i) => {
      const text = differences(results[i], wanted, isExact(candidate, operation));
      return text === undefined ? [] : [`${operationName(operation)} by ${solver.name}, ${text}`];
    });
  }
}

for (const [name, problem] of Object.entries(LAYERS)) {
  gpuTest(name, async ({ runner, capabilities }) => {
    expect(await check({ runner, capabilities }, problem, "software", "float32")).toEqual([]);
  });
}

for (const [name, problem] of Object.entries(LAYERS)) {
  gpuTest(`${name}, of an infinite source`, async ({ runner, capabilities }) => {
    expect(await check({ runner, capabilities }, problem, "software", "float32", sourceOf)).toEqual([]);
  });
}

for (const name of ["3x3", "strided"]) {
  gpuTest(`${name}, for a GPU`, async ({ runner, capabilities }) => {
    expect(await check({ runner, capabilities }, LAYERS[name], "nvidia", "float32")).toEqual([]);
    expect(await check({ runner, capabilities }, LAYERS[name], "nvidia", "float32", sourceOf)).toEqual([]);
  });

  gpuTest(`${name}, in float16`, async ({ runner, capabilities }) => {
    expect(await check({ runner, capabilities }, LAYERS[name], "software", "float16")).toEqual([]);
  });
}
