/** Small integers keep float32 sums exact: every solver must give the reference's result bit for bit. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import type { Capabilities } from "../../src/planning/capabilities.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { select, solversFor } from "../../src/solvers/select.js";
import { isRefusal, type SolverConfig } from "../../src/planning/solver.js";
import { type Candidate, candidatesOf, defaultsOf, isExact } from "../support/candidates.js";
import { CASES, type ConvCase, namedCase } from "../support/cases.js";
import { smallIntegers } from "../support/data.js";
import { type GpuFixtures, gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { waysInTurn } from "../support/turns.js";
import {
  disposeOperands,
  expectedResults,
  isFusedBias,
  makeValues,
  operationName,
  operationsOf,
  type RoleTensors,
  type RoleValues,
  runOnEngine,
  takeAll,
  uploadOperands,
} from "../support/operations.js";

const SEED = 20_240_601;

/** undefined leaves solver and tuning constants to the engine. */
type Choice = Candidate | undefined;

interface Layer extends GpuFixtures {
  readonly conv: ConvCase;
  readonly values: RoleValues;
  readonly tensors: RoleTensors;
}

async function run(layer: Layer, operation: ConvOperation, choice: Choice): Promise<Float32Array[]> {
  const { engine, runner, capabilities, conv, values, tensors } = layer;
  if (!choice) return await takeAll(runOnEngine(engine, operation, conv.options, tensors));
  const { solver, config } = choice;
  if (!isFusedBias(operation))
    return await takeAll(runOnEngine(engine, operation, conv.options, tensors, { name: solver.name, config }));
  const plan = solver.plan(operation, capabilities, config);
  if (isRefusal(plan)) throw new Error(`${solver.name} refuses: ${plan.refused}`);
  return await runner.run(operation, plan, values);
}

/** Runs the operation in each of the ways at once, and says what differs from the reference. */
async function differences(layer: Layer, operation: ConvOperation, choices: readonly Choice[]): Promise<string[]> {
  const expected = expectedResults(operation, layer.values);
  const found = choices.map(async (choice) => {
    const results = await run(layer, operation, choice);
    const how = choice ? `${choice.solver.name} ${JSON.stringify(choice.config)}` : "the engine's choice";
    return expected.flatMap((wanted, i) => {
      const mismatch = exactMismatch(results[i], wanted);
      return mismatch === undefined ? [] : [`${operationName(operation)}, ${how}: ${mismatch}`];
    });
  });
  return (await Promise.all(found)).flat();
}

async function expectExact(
  conv: ConvCase,
  fixtures: GpuFixtures,
  operations: readonly ConvOperation[],
  choicesOf: (operation: ConvOperation, index: number) => readonly Choice[],
): Promise<void> {
  const values = makeValues(operations[0].problem, SEED, smallIntegers);
  const tensors = uploadOperands(fixtures.engine, operations, values);
  const layer = { ...fixtures, conv, values, tensors };
  const found = await Promise.all(
    operations.map(async (operation, i) => await differences(layer, operation, choicesOf(operation, i))),
  );
  disposeOperands(tensors);
  expect(found.flat()).toEqual([]);
}

/** Families that differ from 3x3, or from depthwise layers, in groups, extent, stride or dilation of the kernel alone. */
const KERNEL_ALONE =
  /^(first layer|1x1|5x5|7x7|grouped|depthwise, channel multiplier|dilated|strided|transposed-like),/;

const isPlain = ({ bias, activation, masked }: ConvOperation): boolean =>
  !bias && !masked && activation.name === "none";

/** With everything fused that can be. */
const isFullest = ({ direction, bias, activation, masked }: ConvOperation): boolean =>
  (masked || activation.name === "relu") && bias === (direction === "forward" || direction === "weightGradient");

/**
 * Compiling takes nearly all the time on a software device, and what is fused does not depend on groups or the kernel's
 * extent, nor do the ends of tiles. So there a family is tested most in one of its variants, which platforms take in turns:
 * by every solver, and where it differs in more than the kernel in every way of fusing. Otherwise all is fused that can be,
 * and families that differ in the kernel alone leave the solver to the engine.
 * In a whole run of all platforms a way of fusing takes every other solver, and the next way the others. A GPU runs all of it.
 */
function shortened({ name, variant }: ConvCase, { deviceClass }: Capabilities) {
  const software = deviceClass === "software";
  const isAlone = KERNEL_ALONE.test(name);
  const isInTurn = variant === __CONV_VARIANT__;
  return { fullestAlone: software && (isAlone || !isInTurn), choiceAlone: software && isAlone && !isInTurn };
}

describe("every solver is exact on small integers", () => {
  for (const conv of CASES) {
    gpuTest(conv.name, async ({ engine, runner, capabilities }) => {
      const all = operationsOf(makeProblem(2, conv.input, conv.weight, conv.options));
      const { fullestAlone, choiceAlone } = shortened(conv, capabilities);
      const operations = fullestAlone ? all.filter(isFullest) : all;
      await expectExact(conv, { engine, runner, capabilities }, operations, (operation, index) => {
        if (choiceAlone) return [undefined];
        const { plan } = select(operation, capabilities);
        const chosen = solversFor(operation).find(({ name }) => name === plan.solver);
        const choices: Choice[] = defaultsOf(operation, capabilities, isExact);
        if (chosen?.isExact(plan.config, operation) !== false) choices.unshift(undefined);
        return waysInTurn(choices, index, capabilities);
      });
    });
  }
});

/** Two cases with enough channels that no candidate is left out as too large, and one with few. */
const CANDIDATE_CASES = ["1x1, large", "3x3, large", "grouped, tail"];

/** Multiply-adds that one pass through the unrolled loops of a tile holds: what its compile time grows with. */
function unrolledMultiplyAdds(config: SolverConfig): number {
  const { mPerThread, vectorsPerThread, tileK } = config;
  if ("tile" in config) return 0;
  if ("vectorsPerThread" in config) return mPerThread * 4 * vectorsPerThread * tileK;
  return mPerThread * ("nPerThread" in config ? config.nPerThread : config.columns);
}

/**
 * The larger tiles in workgroup memory take a software device 0.8 to 1.5 s each to compile: there they run on the
 * first case alone, on one platform of two, or on the one whose turn it is. Nor does what is fused depend on the tile: there the candidates run with
 * nothing fused. A GPU runs all of it.
 */
function isCheapEnough(conv: ConvCase, config: SolverConfig, { deviceClass }: Capabilities): boolean {
  const takesLarge = conv.name === CANDIDATE_CASES[0] && (__CONV_VARIANT__ === "plain" || __CONV_TURNS__ !== "");
  return deviceClass !== "software" || takesLarge || unrolledMultiplyAdds(config) < 256;
}

describe("every tuning candidate is exact on small integers", () => {
  for (const conv of CANDIDATE_CASES.map(namedCase)) {
    const all = operationsOf(makeProblem(2, conv.input, conv.weight, conv.options));
    for (const direction of new Set(all.map((operation) => operation.direction))) {
      gpuTest(`${conv.name}, ${direction}`, async ({ engine, runner, capabilities }) => {
        const operations = all.filter((operation) => {
          return operation.direction === direction && (isPlain(operation) || capabilities.deviceClass !== "software");
        });
        await expectExact(conv, { engine, runner, capabilities }, operations, (operation) =>
          candidatesOf(operation, capabilities).filter(
            (candidate) => isExact(candidate, operation) && isCheapEnough(conv, candidate.config, capabilities),
          ),
        );
      });
    }
  }
});
