/**
 * Thousands of operations in random order, mistakes and abandoned work among them: every value that is read is right, and
 * nothing grows. All 20,000 in Node, where the heap can be looked at; fewer elsewhere, in a short run, and in one of all platforms.
 */
import { expect } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { createEngine } from "test-engine";
import { plainOperation } from "../../src/calls/calls.js";
import { BufferPool } from "../../src/gpu/device/bufferPool.js";
import { PreparedPlan } from "../../src/gpu/pipelines/prepared.js";
import { isRefusal, listed } from "../../src/planning/solver.js";
import { direct } from "../../src/solvers/direct/direct.js";
import { countCalls } from "../support/countingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { hostMemory, IN_NODE } from "../support/heap.js";
import { Soak } from "../support/soak.js";

const SEED = 20_000;
const BLOCKS = 10;
const STEPS = IN_NODE && __CONV_SAMPLE__ === "" && __CONV_TURNS__ === "" ? 2000 : 400;
/** Few small tensors live at a time: 24 of at most 1 KiB for each of two layers, and what is made of their values. */
const MOST_POOLED_BYTES = 2 ** 18;
/**
 * By how much the least of the last two checkpoints may exceed the least of the two in the middle: 200 bytes an operation,
 * most of which are bind groups of rare operations, kept up to 256 a kernel. The process' memory is that of the device's
 * software driver, too, which comes and goes.
 */
const MOST_HEAP_GROWTH = 2 ** 21;
const MOST_PROCESS_GROWTH = 2 ** 26;

const least = (values: readonly number[]): number => Math.min(...values);

gpuTest("nothing grows over thousands of mixed operations, and all values are right", async ({ engine: shared }) => {
  const { device, calls } = countCalls(deviceOf(shared));
  using engine = await createEngine({ device });
  const soak = new Soak(engine, SEED);
  const memories: { readonly heapBytes: number; readonly processBytes: number }[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    if (block === BLOCKS / 2) calls.clear();
    for (let i = 0; i < STEPS; i++) {
      await soak.step().catch((cause: unknown) => {
        throw new Error(`operation ${String(block * STEPS + i)} of seed ${String(SEED)}: ${String(cause)}`, { cause });
      });
    }
    await soak.clear();
    const { liveBytes, liveTensors, pooledBytes } = engine.memory();
    expect({ liveBytes, liveTensors }).toEqual({ liveBytes: 0, liveTensors: 0 });
    expect(pooledBytes).toBeLessThanOrEqual(MOST_POOLED_BYTES);
    if (IN_NODE) memories.push(await hostMemory());
  }
  // In the second half everything is there: kernels, layouts, and memory that was used before.
  expect(calls.get("createShaderModule") ?? 0).toBe(0);
  expect(calls.get("createBuffer") ?? 0).toBeLessThanOrEqual((STEPS * BLOCKS) / 200);
  if (!IN_NODE) return;
  const middle = memories.slice(BLOCKS / 2 - 2, BLOCKS / 2);
  const end = memories.slice(-2);
  const growth = (key: "heapBytes" | "processBytes"): number =>
    least(end.map((memory) => memory[key])) - least(middle.map((memory) => memory[key]));
  expect(growth("heapBytes"), "bytes of the heap").toBeLessThan(MOST_HEAP_GROWTH);
  expect(growth("processBytes"), "bytes of the process").toBeLessThan(MOST_PROCESS_GROWTH);
});

gpuTest("bind groups that are no longer kept leave nothing with their buffers", ({ runner, engine, capabilities }) => {
  const device = deviceOf(engine);
  const operation = plainOperation("forward", makeProblem(2, [1, 1, 3, 3], [1, 1, 1, 1]), { dtype: "float32" });
  const plan = listed(direct).plan(operation, capabilities, {});
  if (isRefusal(plan)) throw new Error("the direct solver takes everything");
  const pool = new BufferPool(device, 0);
  const prepared = new PreparedPlan(device, runner.pipelines, pool.allocator, plan, () => undefined);
  const buffers = Array.from({ length: 18 }, () => pool.acquire(256));
  const known = (): number => buffers.reduce((sum, { onDestroy }) => sum + onDestroy.size, 0);
  const bindAll = (): void => {
    for (const x of buffers) {
      for (const y of buffers) {
        if (x !== y) expect(prepared.bind({ x, w: x, y, unused: x })[0].bindGroup).toBeDefined();
      }
    }
  };
  bindAll();
  const kept = known();
  expect(kept).toBeGreaterThan(0);
  bindAll();
  bindAll();
  expect(known()).toBe(kept);
  prepared.forget();
  expect(known()).toBe(0);
  prepared.dispose();
  pool.dispose();
});
