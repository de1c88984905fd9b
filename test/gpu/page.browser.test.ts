/** What only a page has: bitmaps, frames and canvases as sources of images, canvases to draw on. */
import type { ImageSource } from "webgpu-conv";
import { describe, expect } from "vitest";
import { Random } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const WIDTH = 9;
const HEIGHT = 6;

/** Opaque, so that nothing is lost where a source multiplies colours by alpha. */
function makePicture(seed: number): ImageData {
  const random = new Random(seed);
  const data = Uint8ClampedArray.from({ length: 4 * WIDTH * HEIGHT }, (_, i) =>
    i % 4 === 3 ? 255 : random.integer(0, 255),
  );
  return new ImageData(data, WIDTH, HEIGHT);
}

function paint(context: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D | null, picture: ImageData): void {
  if (!context) throw new Error("no 2D context");
  context.putImageData(picture, 0, 0);
}

function offscreen(picture: ImageData): OffscreenCanvas {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  paint(canvas.getContext("2d"), picture);
  return canvas;
}

function element(picture: ImageData): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  paint(canvas.getContext("2d"), picture);
  return canvas;
}

async function loadedImage(picture: ImageData): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = element(picture).toDataURL("image/png");
  await image.decode();
  return image;
}

const SOURCES: Readonly<Record<string, (picture: ImageData) => Promise<ImageSource> | ImageSource>> = {
  ImageData: (picture) => picture,
  ImageBitmap: (picture) => createImageBitmap(picture),
  OffscreenCanvas: offscreen,
  HTMLCanvasElement: element,
  HTMLImageElement: loadedImage,
  VideoFrame: (picture) => new VideoFrame(offscreen(picture), { timestamp: 0, alpha: "discard" }),
};

describe("an image from", () => {
  for (const [name, make] of Object.entries(SOURCES)) {
    gpuTest(`${name} has its pixels, whatever becomes of the source`, async ({ engine }) => {
      const picture = makePicture(name.length);
      const source = await make(picture);
      using image = engine.image(source, { std: 1 / 255 });
      if ("close" in source) source.close();
      expect(image.shape).toEqual([1, 3, HEIGHT, WIDTH]);
      const expected = Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => {
        return picture.data[4 * (i % (WIDTH * HEIGHT)) + Math.floor(i / (WIDTH * HEIGHT))];
      });
      expect([...(await image.data())]).toEqual(expected);
    });
  }

  gpuTest("a VideoFrame has its pixels where the browser takes canvases and bitmaps alone", async ({ engine }) => {
    const { queue } = deviceOf(engine);
    const takeAll = queue.copyExternalImageToTexture.bind(queue);
    queue.copyExternalImageToTexture = (image, texture, size) => {
      if (image.source instanceof VideoFrame) throw new TypeError("'source' could not be converted");
      takeAll(image, texture, size);
    };
    const picture = makePicture(7);
    const frame = new VideoFrame(offscreen(picture), { timestamp: 0, alpha: "discard" });
    using image = engine.image(frame, { channels: 1, std: 1 / 255 });
    frame.close();
    expect([...(await image.data())]).toEqual([...picture.data].filter((_, i) => i % 4 === 0));
  });

  gpuTest("what is closed or empty is refused, and nothing is left behind", async ({ engine }) => {
    const bitmap = await createImageBitmap(makePicture(1));
    bitmap.close();
    const before = engine.memory().liveBytes;
    expect(() => engine.image(bitmap)).toThrow(/0 x 0 pixels; expected at least 1 x 1: is it loaded, and not closed/);
    expect(() => engine.image(document.createElement("video"))).toThrow(/0 x 0 pixels/);
    expect(engine.memory().liveBytes).toBe(before);
  });
});

describe("drawing on a canvas", () => {
  gpuTest("shows a frame's activation maps, several in one frame, without reading back", async ({ engine }) => {
    const canvas = new OffscreenCanvas(2 * WIDTH, HEIGHT);
    const context = canvas.getContext("webgpu");
    if (!context) throw new Error("no WebGPU context");
    context.configure({ device: deviceOf(engine), format: navigator.gpu.getPreferredCanvasFormat() });
    const picture = makePicture(2);
    using image = engine.image(offscreen(picture), { std: 1 / 255 });
    // One filter takes red, the other green, over 255.
    using w = engine.tensor([1 / 255, 0, 0, 0, 1 / 255, 0], [2, 3, 1, 1]);
    using maps = engine.conv2d(image, w);
    await engine.draw(maps, context, { channel: 0, viewport: [0, 0, WIDTH, HEIGHT] });
    // The second pipeline is there, so this is at once, in the same task.
    const first = engine.draw(maps, context, { channel: 0, viewport: [0, 0, WIDTH, HEIGHT] });
    const second = engine.draw(maps, context, { channel: 1, viewport: [WIDTH, 0, WIDTH, HEIGHT] });
    const bitmap = canvas.transferToImageBitmap();
    await Promise.all([first, second]);
    const flat = new OffscreenCanvas(2 * WIDTH, HEIGHT).getContext("2d");
    if (!flat) throw new Error("no 2D context");
    flat.drawImage(bitmap, 0, 0);
    const shown = flat.getImageData(0, 0, 2 * WIDTH, HEIGHT).data;
    for (let i = 0; i < WIDTH * HEIGHT; i++) {
      const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
      const at = 4 * (2 * WIDTH * y + x);
      expect(Math.abs(shown[at] - picture.data[4 * i]), `red at ${String(i)}`).toBeLessThanOrEqual(1);
      expect(Math.abs(shown[at + 4 * WIDTH] - picture.data[4 * i + 1]), `green at ${String(i)}`).toBeLessThanOrEqual(1);
    }
  });
});
