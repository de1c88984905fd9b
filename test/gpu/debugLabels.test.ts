/** `createEngine({ debug: true })`: what a GPU profiler is shown. */
import type { Engine } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { failingDevice } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { labelDevice } from "../support/labelDevice.js";

const LAYER = "conv2d forward 3x8x8 -> 4, 3x3";

/** A layer and its weight gradient. */
async function runLayer(engine: Engine): Promise<void> {
  using x = engine.tensor(new Float32Array(192), [1, 3, 8, 8]);
  using w = engine.tensor(new Float32Array(108), [4, 3, 3, 3]);
  using y = engine.conv2d(x, w, { padding: 1, solver: "direct" });
  using dw = engine.conv2dWeightGradient(y, x, [4, 3, 3, 3], { padding: 1, solver: "register-tile" });
  await dw.data();
}

describe("with debug", () => {
  gpuTest("pipelines, bind groups, passes, groups and buffers have names", async ({ engine: shared }) => {
    const { device, pipelines, bindGroups, passes, groups, ungrouped, buffers } = labelDevice(deviceOf(shared));
    using engine = await createEngine({ device, debug: true, vetKernels: false });
    await runLayer(engine);
    const gradient = "conv2d weight gradient 3x8x8 -> 4, 3x3";
    expect(pipelines).toContain(`direct ${LAYER}`);
    expect(pipelines).toContain(`register_tile_weight_gradient ${gradient}`);
    expect(bindGroups.sort()).toEqual(pipelines.sort());
    expect(passes).toEqual(["webgpu-conv: 2 operations"]);
    expect(groups[0]).toBe(`${LAYER}: 1 dispatches`);
    expect(groups[1]).toMatch(new RegExp(`^${gradient}: [1-3] dispatches$`));
    expect(ungrouped()).toBe(0);
    for (const name of ["x [1, 3, 8, 8] float32", "w [4, 3, 3, 3] float32", "y [1, 4, 8, 8] float32"]) {
      expect(buffers()).toContain(name);
    }
    // Uniforms.
    expect(buffers()).toContain(`direct ${LAYER}`);
  });

  gpuTest("scratch memory is named by what it holds, and a buffer anew with each use", async ({ engine: shared }) => {
    const { device, buffers } = labelDevice(deviceOf(shared));
    using engine = await createEngine({ device, debug: true, vetKernels: false });
    using x = engine.tensor(new Float32Array(32 * 64), [1, 32, 8, 8]);
    using w = engine.tensor(new Float32Array(32 * 32 * 9), [32, 32, 3, 3]);
    const options = { padding: 1, solver: "winograd" };
    engine.conv2d(x, w, options).dispose();
    await engine.finish();
    const layer = "conv2d forward 32x8x8 -> 32, 3x3";
    for (const name of ["winograd sources", "winograd filters", "winograd sums"]) {
      expect(buffers()).toContain(`${name} of ${layer}`);
    }
    const made = buffers().length;
    const [before] = buffers().filter((name) => name.startsWith("y "));
    expect(before).toBe("y [1, 32, 8, 8] float32");
    // As many values in another shape: from the pool.
    using again = engine.tensor(new Float32Array(32 * 64), [32, 64]);
    expect(buffers().length).toBe(made);
    expect(buffers()).toContain("tensor [32, 64] float32");
    again.dispose();
  });

  gpuTest("strides, groups, batches, types and activations are told", async ({ engine: shared }) => {
    const { device, groups } = labelDevice(deviceOf(shared));
    using engine = await createEngine({ device, debug: true, vetKernels: false });
    using x = engine.tensor(new Float32Array(2 * 4 * 9), [2, 4, 9], { dtype: "float16" });
    using w = engine.tensor(new Float32Array(4 * 2 * 3), [4, 2, 3], { dtype: "float16" });
    const options = { stride: 2, dilation: 3, groups: 2, activation: "relu", solver: "direct" } as const;
    engine.conv1d(x, w, options).dispose();
    await engine.check(x);
    using y = engine.tensor(new Float32Array(24), [1, 6, 2, 2]);
    engine.activate(y, "relu").dispose();
    await engine.finish();
    const [first, second, third] = groups.map((group) => group.replace(/: \d+ dispatches$/, ""));
    expect(first).toBe("conv1d forward 4x9 -> 4, 3, stride 2, dilation 3, 2 groups, relu, batch 2, float16");
    expect(second).toBe("check of 72 values in float16");
    expect(third).toBe("activation of 24 values, relu");
  });

  gpuTest(
    "replays and callers' encoders have groups, too, and callers' buffers keep their names",
    async ({ engine: shared }) => {
      const { device, groups, passes } = labelDevice(deviceOf(shared));
      using engine = await createEngine({ device, debug: true, vetKernels: false });
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
      const buffer = device.createBuffer({ label: "mine", size: 4 * 192, usage });
      using x = engine.wrap(buffer, [1, 3, 8, 8]);
      using w = engine.tensor(new Float32Array(108), [4, 3, 3, 3]);
      using compiled = await engine.compile(() => engine.conv2d(x, w, { padding: 1, solver: "direct" }));
      compiled.run();
      compiled.run();
      await engine.finish();
      expect(groups).toEqual([`${LAYER}: 1 dispatches`, `${LAYER}: 1 dispatches`]);
      const encoder = device.createCommandEncoder();
      const { submitted } = await engine.encode(encoder, () => compiled.run());
      device.queue.submit([encoder.finish()]);
      submitted();
      expect(groups.length).toBe(3);
      expect(passes).toEqual(["webgpu-conv: 2 operations", "webgpu-conv: 1 operations"]);
      expect(buffer.label).toBe("mine");
      compiled.result.dispose();
      await engine.finish();
      buffer.destroy();
    },
  );

  gpuTest("an operation that cannot be encoded leaves no group open", async ({ engine: shared }) => {
    const { device, faults } = failingDevice(deviceOf(shared));
    using engine = await createEngine({ device, debug: true, vetKernels: false });
    faults.onDispatch = () => {
      faults.onDispatch = () => undefined;
      throw new Error("on purpose");
    };
    using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    using w = engine.tensor([2], [1, 1, 1, 1]);
    using failed = engine.conv2d(x, w);
    using sound = engine.conv2d(x, w);
    await expect(failed.data()).rejects.toThrow(/on purpose/);
    expect([...(await sound.data())]).toEqual([2, 4, 6, 8]);
    await expect(engine.finish()).rejects.toThrow(/on purpose/);
  });
});

describe("without debug", () => {
  gpuTest("kernels share pipelines, and nothing is grouped", async ({ engine: shared }) => {
    const { device, pipelines, groups, passes, buffers } = labelDevice(deviceOf(shared));
    using engine = await createEngine({ device, vetKernels: false });
    await runLayer(engine);
    expect(pipelines).toContain("direct");
    expect(groups).toEqual([]);
    expect(passes).toEqual([""]);
    expect(buffers().filter((name) => name.includes("["))).toEqual([]);
  });
});
