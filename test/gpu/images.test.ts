/** Images as tensors: their pixels are normalised inside the first layer. */
import { ArgumentError, DeviceError, type Engine, type ImageOptions, type ImageSource, type Tensor } from "webgpu-conv";
import { compare, errorBound, forward, makeProblem, weightGradient } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { product } from "../../src/problem/geometry.js";
import { Random, reals, smallIntegers } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";

const WIDTH = 37;
const HEIGHT = 21;
const PIXELS = WIDTH * HEIGHT;

/** Random RGBA bytes. Node has no ImageData: an object with its fields is one too. */
function randomImage(seed: number, width = WIDTH, height = HEIGHT): ImageData {
  const random = new Random(seed);
  const data = Uint8ClampedArray.from({ length: 4 * width * height }, () => random.integer(0, 255));
  return { data, width, height, colorSpace: "srgb" };
}

/** (byte / 255 - mean) / std of channel `channel`, planes one after the other. */
function planes({ data }: ImageData, channels: number, mean: readonly number[], std: readonly number[]): number[] {
  return Array.from({ length: channels * PIXELS }, (_, i) => {
    const channel = Math.floor(i / PIXELS);
    return (data[4 * (i % PIXELS) + channel] / 255 - mean[channel]) / std[channel];
  });
}

/** Bytes as they are: sums of them times small integers are exact. */
const BYTES: ImageOptions = { std: 1 / 255 };
const bytePlanes = (image: ImageData, channels = 3): Float32Array =>
  Float32Array.from(planes(image, channels, [0, 0, 0, 0], [1, 1, 1, 1]), (value) => Math.round(255 * value));

gpuTest("an image reads back as its normalised channels, first or last", async ({ engine }) => {
  const picture = randomImage(1);
  const mean = [0.485, 0.456, 0.406];
  const std = [0.229, 0.224, 0.225];
  using first = engine.image(picture, { mean, std });
  expect([first.shape, first.dtype, first.size]).toEqual([[1, 3, HEIGHT, WIDTH], "rgba8unorm", 3 * PIXELS]);
  const expected = planes(picture, 3, mean, std);
  const values = await first.data();
  expected.forEach((value, i) => expect(Math.abs(values[i] - value)).toBeLessThan(1e-6));
  using last = engine.image(picture, { mean, std, layout: "channels-last" });
  expect(last.shape).toEqual([1, HEIGHT, WIDTH, 3]);
  const moved = await last.data();
  values.forEach((value, i) => expect(moved[3 * (i % PIXELS) + Math.floor(i / PIXELS)]).toBe(value));
  expect(await engine.check(first)).toMatchObject({ infinite: 0, nan: 0 });
});

describe("the first layer", () => {
  const options = { stride: 2, padding: 3 };
  const weightShape = [8, 3, 7, 7];

  for (const solver of ["direct", "register-tile", "implicit-gemm", "strip"]) {
    for (const layout of ["channels-first", "channels-last"] as const) {
      gpuTest(`${solver}, ${layout}, two images: exact on bytes`, async ({ engine }) => {
        const pictures = [randomImage(2), randomImage(3)];
        const w = smallIntegers(new Random(4), product(weightShape));
        using x = engine.image(pictures, { ...BYTES, layout });
        using weight = engine.tensor(w, weightShape);
        using bias = engine.tensor(new Float32Array(8).fill(5), [8]);
        using y = engine.conv2d(x, weight, { ...options, bias, layout, solver, activation: "relu" });
        const problem = makeProblem(2, x.shape, weightShape, { ...options, layout });
        const values = await x.data();
        const wanted = forward(problem, values, w, { bias: new Float32Array(8).fill(5), activation: "relu" });
        expect(exactMismatch(await y.data(), wanted)).toBeUndefined();
        if (layout === "channels-first") {
          expect([...values]).toEqual(pictures.flatMap((picture) => [...bytePlanes(picture)]));
        }
      });
    }
  }

  gpuTest("with ImageNet's normalisation lies within the bound, and borders are zero after it", async ({ engine }) => {
    const picture = randomImage(5);
    const normalise = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    const w = reals(new Random(6), product(weightShape));
    using x = engine.image(picture, normalise);
    using weight = engine.tensor(w, weightShape);
    const problem = makeProblem(2, x.shape, weightShape, options);
    const values = await x.data();
    using y = engine.conv2d(x, weight, options);
    // One rounding more a term: the normalisation's own, on the device and on the host.
    const bound = errorBound(problem, "forward", { x: values, w }).map((one) => 2 * one);
    expect(compare(await y.data(), forward(problem, values, w), bound).pass).toBe(true);
  });

  gpuTest("trains: its weight gradient reads the image too, in every dtype", async ({ engine }) => {
    const picture = randomImage(7, 12, 9);
    using x = engine.image(picture, BYTES);
    const shape = [2, 3, 3, 3];
    const values = await x.data();
    for (const dtype of ["float32", "float16"] as const) {
      // One result at most counts, so that float16 holds the sums: bytes themselves.
      const dy = new Float32Array(2 * 9 * 12);
      dy[12 * 4 + 5] = 1;
      dy[9 * 12 + 3] = -2;
      using gradient = engine.tensor(dy, [1, 2, 9, 12], { dtype });
      using dw = engine.conv2dWeightGradient(gradient, x, shape, { padding: 1 });
      expect(dw.dtype).toBe(dtype);
      const problem = makeProblem(2, x.shape, shape, { padding: 1 });
      expect(exactMismatch(await dw.data(), weightGradient(problem, dy, values))).toBeUndefined();
      using w = engine.tensor(new Float32Array(54).fill(0.5), shape, { dtype });
      const gradients = engine.conv2dBackward(gradient, x, w, { padding: 1 });
      expect(exactMismatch(await gradients.weight.data(), weightGradient(problem, dy, values))).toBeUndefined();
      for (const tensor of Object.values(gradients) as Tensor[]) tensor.dispose();
    }
  });

  gpuTest("takes one channel, four, float16 weights and other padding modes", async ({ engine }) => {
    const picture = randomImage(8);
    for (const channels of [1, 4] as const) {
      const w = smallIntegers(new Random(9), 2 * channels * 9);
      using x = engine.image(picture, { ...BYTES, channels });
      using weight = engine.tensor(w, [2, channels, 3, 3]);
      using y = engine.conv2d(x, weight, { padding: 1, paddingMode: "reflect" });
      const problem = makeProblem(2, x.shape, [2, channels, 3, 3], { padding: 1, paddingMode: "reflect" });
      expect(exactMismatch(await y.data(), forward(problem, bytePlanes(picture, channels), w))).toBeUndefined();
    }
    using x = engine.image(picture, BYTES);
    using half = engine.tensor([1, 0, 0, 0, 2, -1], [2, 3, 1, 1], { dtype: "float16" });
    using y = engine.conv2d(x, half);
    expect(y.dtype).toBe("float16");
    const problem = makeProblem(2, x.shape, [2, 3, 1, 1]);
    expect(
      exactMismatch(await y.data(), forward(problem, bytePlanes(picture), Float32Array.of(1, 0, 0, 0, 2, -1))),
    ).toBeUndefined();
  });
});

/** A texture with the bytes of an image in it. */
function makeTexture(device: GPUDevice, image: ImageData, format: GPUTextureFormat): GPUTexture {
  const usage = GPUTextureUsage.COPY_DST | GPUTextureUsage.COPY_SRC;
  const size = [image.width, image.height];
  const texture = device.createTexture({ size, format, usage });
  device.queue.writeTexture({ texture }, image.data, { bytesPerRow: 4 * image.width }, size);
  return texture;
}

/** The image with red and blue exchanged. */
function swapped(image: ImageData): ImageData {
  const data = image.data.map((_, i) => image.data[i % 4 === 3 ? i : i - (i % 4) + 2 - (i % 4)]);
  return { data, width: image.width, height: image.height, colorSpace: image.colorSpace };
}

describe("a texture", () => {
  for (const [width, height] of [
    [WIDTH, HEIGHT],
    [64, 5],
  ] as const) {
    for (const format of ["rgba8unorm", "bgra8unorm"] as const) {
      gpuTest(`${format} of ${String(width)} x ${String(height)} is read`, async ({ engine }) => {
        const device = deviceOf(engine);
        const picture = randomImage(10, width, height);
        const texture = makeTexture(device, picture, format);
        using x = engine.image(texture, BYTES);
        texture.destroy();
        using same = engine.image(format === "rgba8unorm" ? picture : swapped(picture), BYTES);
        expect(await x.data()).toEqual(await same.data());
        using w = engine.tensor([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3, 1, 1]);
        for (const solver of ["direct", "register-tile", "implicit-gemm"]) {
          using y = engine.conv2d(x, w, { solver });
          expect(await y.data()).toEqual(await same.data());
        }
      });
    }
  }
});

describe("what is no image", () => {
  gpuTest("is refused with the rule and the values", async ({ engine }) => {
    const device = deviceOf(engine);
    const picture = randomImage(11, 4, 4);
    const bad = (message: RegExp, call: () => unknown): void => {
      expect(call).toThrow(ArgumentError);
      expect(call).toThrow(message);
    };
    const make = (source: unknown, options?: unknown): (() => Tensor) => {
      return () => engine.image(source as ImageSource, options as ImageOptions);
    };
    bad(/image is null; expected ImageData/, make(null));
    bad(/images is \[\]/, make([]));
    bad(/expected at least 1 x 1/, make({}));
    bad(/48 bytes; expected 4 \* width 4 \* height 4/, make({ width: 4, height: 4, data: new Uint8ClampedArray(48) }));
    bad(
      /data is Float32Array; expected a Uint8ClampedArray/,
      make({ width: 4, height: 4, data: new Float32Array(64) }),
    );
    bad(/4 x 4 and 5 x 4 pixels; expected one size/, make([picture, randomImage(1, 5, 4)]));
    bad(/channels is 5; expected 1, 2, 3 or 4/, make(picture, { channels: 5 }));
    bad(/mean is \[1, 2\]; expected a finite number, or one for each of 3/, make(picture, { mean: [1, 2] }));
    bad(/std is 0; expected no zero/, make(picture, { std: 0 }));
    bad(/std is NaN/, make(picture, { std: NaN }));
    const usage = GPUTextureUsage.COPY_DST | GPUTextureUsage.COPY_SRC;
    const float = device.createTexture({ size: [4, 4], format: "rgba16float", usage });
    const mute = device.createTexture({ size: [4, 4], format: "rgba8unorm", usage: GPUTextureUsage.COPY_DST });
    const layered = device.createTexture({ size: [4, 4, 2], format: "rgba8unorm", usage });
    bad(/format is "rgba16float"; expected rgba8unorm,/, make(float));
    bad(/usage is 2; expected it to have GPUTextureUsage\.COPY_SRC = 1/, make(mute));
    bad(/2 layers/, make(layered));
    for (const texture of [float, mute, layered]) texture.destroy();
    using good = engine.image(picture);
    expect((await good.data()).length).toBe(48);
  });

  gpuTest("an image is x of a convolution and nothing else", async ({ engine }) => {
    using image = engine.image(randomImage(12, 4, 4));
    using w = engine.tensor(new Float32Array(9).fill(1), [3, 3, 1, 1]);
    const refused = (call: (engine: Engine) => unknown): void => {
      expect(() => call(engine)).toThrow(/is an image \(rgba8unorm\); expected float32 or float16/);
    };
    refused(() => engine.conv2d(image, w, { residual: image }));
    refused(() => engine.convTranspose2d(image, w));
    refused(() => engine.conv2dInputGradient(image, w, [1, 3, 4, 4]));
    refused(() => engine.activate(image, "relu"));
    using y = engine.conv2d(image, w);
    expect((await y.data()).length).toBe(48);
  });

  gpuTest("without a GPU ImageData alone will do, and gives the same", async ({ engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    const picture = randomImage(13);
    using here = engine.image(picture, { mean: 0.5, std: 0.25 });
    using there = cpu.image([picture], { mean: 0.5, std: 0.25 });
    expect(there.dtype).toBe("float32");
    expect(await there.data()).toEqual(await here.data());
    const texture = makeTexture(deviceOf(engine), picture, "rgba8unorm");
    expect(() => cpu.image(texture)).toThrow(/image is GPUTexture; expected ImageData/);
    texture.destroy();
    cpu.dispose();
    expect(() => cpu.image(picture)).toThrow(/disposed/);
    expect(DeviceError.name).toBe("DeviceError");
  });
});

gpuTest("explain says when an image is repacked", ({ engine }) => {
  using image = engine.image(randomImage(14));
  expect(image.pixels).toMatchObject({ channels: 3, positions: PIXELS, order: "rgba" });
  const shapes = { input: image.shape, weight: [8, 3, 3, 3] };
  for (const solver of ["implicit-gemm", "register-tile", "direct"]) {
    expect(String(engine.explain("conv2d", shapes, { image, solver })), solver).not.toMatch(/repacks/);
  }
  expect(String(engine.explain("conv2d", shapes, { image, solver: "strip" }))).toMatch(
    /repacks x from pixels to float32/,
  );
  const one = { ...shapes, weight: [1, 3, 3, 3] };
  expect(String(engine.explain("conv2d", one, { image })), "the engine's choice").not.toMatch(/repacks/);
  expect(String(engine.explain("conv2dWeightGradient", shapes, { image }))).toMatch(/repacks x from pixels/);
});
