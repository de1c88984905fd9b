/** The library in a dedicated worker: an engine of its own there, forward and both gradients, exact on small integers. */
import { forward, inputGradient, makeProblem, weightGradient } from "webgpu-conv/reference";
import { expect, test } from "vitest";
import { product } from "../../src/problem/geometry.js";
import { Random, smallIntegers } from "../support/data.js";
import { exactMismatch } from "../support/mismatch.js";
import type { LayerReply, LayerRequest } from "../support/worker/protocol.js";

/** Starts a worker, sends it the layer, and ends it once it has replied. */
async function runInWorker(request: LayerRequest): Promise<LayerReply> {
  const worker = new Worker(new URL("../support/worker/layer.worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.addEventListener("message", ({ data }: MessageEvent<LayerReply>) => resolve(data));
      worker.addEventListener("error", ({ message }) => reject(new Error(`the worker failed: ${message}`)));
      worker.postMessage(request);
    });
  } finally {
    worker.terminate();
  }
}

test("in a dedicated worker: forward and both gradients", async () => {
  const [input, weight] = [[2, 4, 9, 8] as const, [6, 2, 3, 3] as const];
  const options = { padding: 1, stride: 2, groups: 2 };
  const problem = makeProblem(2, input, weight, options);
  const random = new Random(5);
  const [x, w, dy] = [input, weight, problem.outputShape].map((shape) => smallIntegers(random, product(shape)));
  const reply = await runInWorker({ input, weight, options, x, w, dy });
  if ("error" in reply) throw new Error(reply.error);
  expect(reply.scope).toBe("DedicatedWorkerGlobalScope");
  expect(reply.adapter).not.toBe("");
  expect(reply.outputShape).toEqual(problem.outputShape);
  expect(exactMismatch(reply.y, forward(problem, x, w))).toBeUndefined();
  expect(exactMismatch(reply.dx, inputGradient(problem, dy, w))).toBeUndefined();
  expect(exactMismatch(reply.dw, weightGradient(problem, dy, x))).toBeUndefined();
});

test("in two workers at once", async () => {
  const [input, weight] = [
    [1, 1, 3, 3],
    [1, 1, 1, 1],
  ];
  const x = Float32Array.from({ length: 9 }, (_, i) => i);
  const replies = await Promise.all(
    [2, 3].map(async (factor) => {
      return await runInWorker({ input, weight, options: {}, x, w: Float32Array.of(factor), dy: x });
    }),
  );
  expect(replies.map((reply) => "y" in reply && [...reply.y])).toEqual(
    [2, 3].map((factor) => [...x].map((value) => factor * value)),
  );
});
