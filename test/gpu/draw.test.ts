/** Tensors drawn onto textures, pixel by pixel. */
import { ArgumentError, type DrawOptions, type Engine, type Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { makeTarget, readTexture } from "../support/texture.js";

async function drawn(engine: Engine, tensor: Tensor, options: DrawOptions, format?: GPUTextureFormat) {
  const device = deviceOf(engine);
  const [height, width] = tensor.shape.slice(-2);
  const texture = makeTarget(device, width, height, format);
  await engine.draw(tensor, texture, options);
  const pixels = await readTexture(device, texture);
  texture.destroy();
  return pixels;
}

/** The first byte of every pixel, row by row. */
const firstBytes = (pixels: number[][][]): number[][] => pixels.map((row) => row.map(([first]) => first));

// Two samples of two channels of 2 x 3: value = 100 * sample + 10 * channel + position.
const VALUES = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15].flatMap((value) => [value, value + 100]);
VALUES.sort((a, b) => a - b);
const SHAPE = [2, 2, 2, 3];

describe("engine.draw", () => {
  for (const dtype of ["float32", "float16"] as const) {
    gpuTest(`draws a channel of a sample in ${dtype}, black to white`, async ({ engine }) => {
      using tensor = engine.tensor(VALUES, SHAPE, { dtype });
      const range = [110, 115] as const;
      const pixels = await drawn(engine, tensor, { sample: 1, channel: 1, range });
      expect(firstBytes(pixels)).toEqual([
        [0, 51, 102],
        [153, 204, 255],
      ]);
      for (const [red, green, blue, alpha] of pixels.flat()) expect([green, blue, alpha]).toEqual([red, red, 255]);
    });
  }

  gpuTest("draws three channels as colours, in the target's own order of bytes", async ({ engine }) => {
    using tensor = engine.tensor([1, 0, 0, 0, 1, 0, 0, 0.2, 1], [1, 3, 1, 3]);
    const expected = [
      [255, 0, 0, 255],
      [0, 255, 51, 255],
      [0, 0, 255, 255],
    ];
    const options = { channel: [0, 1, 2] as const };
    expect(await drawn(engine, tensor, options)).toEqual([expected]);
    using sample = engine.tensor(await tensor.data(), [3, 1, 3]);
    expect(await drawn(engine, sample, options)).toEqual([expected]);
    const swapped = expected.map(([red, green, blue, alpha]) => [blue, green, red, alpha]);
    expect(await drawn(engine, tensor, options, "bgra8unorm")).toEqual([swapped]);
  });

  gpuTest("draws signs as blue and red around white, and clamps", async ({ engine }) => {
    using tensor = engine.tensor([-9, -1, 0, 1, 9], [1, 1, 1, 5]);
    expect(await drawn(engine, tensor, { range: [-1, 1], colors: "diverging" })).toEqual([
      [
        [0, 0, 255, 255],
        [0, 0, 255, 255],
        [255, 255, 255, 255],
        [255, 0, 0, 255],
        [255, 0, 0, 255],
      ],
    ]);
  });

  gpuTest("draws what operations are recorded to compute, channels last, and an image", async ({ engine }) => {
    using x = engine.tensor([0.25, 0.5, 0.75, 1], [1, 2, 2, 1]);
    using w = engine.tensor([1, 0.5], [2, 1, 1, 1]);
    using y = engine.conv2d(x, w, { layout: "channels-last", solver: "direct" });
    const device = deviceOf(engine);
    const texture = makeTarget(device, 2, 2);
    await engine.draw(y, texture, { layout: "channels-last", channel: 1, range: [0, 0.5] });
    expect(firstBytes(await readTexture(device, texture))).toEqual([
      [64, 128],
      [191, 255],
    ]);
    const data = Uint8ClampedArray.of(10, 20, 30, 255, 40, 50, 60, 255, 70, 80, 90, 255, 100, 110, 120, 255);
    using image = engine.image({ data, width: 2, height: 2, colorSpace: "srgb" });
    await engine.draw(image, texture, { channel: [0, 1, 2] });
    expect((await readTexture(device, texture)).flat(2)).toEqual([...data]);
    texture.destroy();
  });

  gpuTest("tiles several maps into one target, each pixel its nearest value", async ({ engine }) => {
    using tensor = engine.tensor([0, 1, 1, 0, 1, 0, 0, 1], [1, 2, 2, 2]);
    const device = deviceOf(engine);
    const texture = makeTarget(device, 8, 4);
    await engine.draw(tensor, texture, { channel: 0, viewport: [0, 0, 4, 4] });
    await engine.draw(tensor, texture, { channel: 1, viewport: [4, 0, 4, 4] });
    const top = [0, 0, 255, 255, 255, 255, 0, 0];
    const bottom = [255, 255, 0, 0, 0, 0, 255, 255];
    expect(firstBytes(await readTexture(device, texture))).toEqual([top, top, bottom, bottom]);
    texture.destroy();
  });

  gpuTest("refuses what cannot be drawn, with the rule and the values", async ({ engine }) => {
    const device = deviceOf(engine);
    using tensor = engine.tensor(VALUES, SHAPE);
    using flat = engine.tensor(VALUES, [24]);
    const texture = makeTarget(device, 3, 2);
    const mute = device.createTexture({ size: [3, 2], format: "rgba8unorm", usage: GPUTextureUsage.COPY_SRC });
    const bad = async (options: unknown, message: RegExp, what = tensor, target: unknown = texture): Promise<void> => {
      const attempt = engine.draw(what, target as GPUTexture, options as DrawOptions);
      await expect(attempt).rejects.toThrow(message);
      await expect(attempt).rejects.toBeInstanceOf(ArgumentError);
    };
    await bad({}, /shape \[24\]; expected 4 dimensions \[N, C, H, W\]/, flat);
    await bad({ sample: 2 }, /sample is 2; expected an integer below 2/);
    await bad({ channel: -1 }, /channel is -1; expected an integer below 2/);
    await bad({ channel: [0, 1, 2] }, /channel is \[0, 1, 2\]; expected an integer below 2, or three/);
    await bad({ range: [1, 1] }, /range is \[1, 1\]; expected two finite numbers/);
    await bad({ colors: "rainbow" }, /colors is "rainbow"; expected "gray" or "diverging"/);
    await bad({ viewport: [0, 0, 0, 1] }, /viewport is \[0, 0, 0, 1\]; expected integers/);
    await bad({ viewport: [0, 0, 1.5, 1] }, /viewport is \[0, 0, 1\.5, 1\]; expected integers/);
    await bad({ viewport: [1, 0, 3, 2] }, /viewport is \[1, 0, 3, 2\]; expected it within the target's 3 x 2/);
    await bad({}, /target is null; expected a GPUCanvasContext or a GPUTexture/, tensor, null);
    await bad({}, /usage is 1; expected it to have GPUTextureUsage\.RENDER_ATTACHMENT = 16/, tensor, mute);
    using cpu = await createEngine({ backend: "cpu" });
    using there = cpu.tensor(VALUES, SHAPE);
    await expect(cpu.draw(there, texture)).rejects.toThrow(/draw needs a WebGPU device/);
    await engine.draw(tensor, texture, { sample: 1, range: [100, 105] });
    expect(firstBytes(await readTexture(device, texture))[0]).toEqual([0, 51, 102]);
    for (const one of [texture, mute]) one.destroy();
  });
});
