/** Textures that tests draw on and read. */

/** What a copy of several rows needs: 256 bytes a row. */
const ROW_PIXELS = 64;

/** A texture that is drawn on and copied out. */
export function makeTarget(
  device: GPUDevice,
  width: number,
  height: number,
  format: GPUTextureFormat = "rgba8unorm",
): GPUTexture {
  const usage = GPUTextureUsage.RENDER_ATTACHMENT | GPUTextureUsage.COPY_SRC;
  return device.createTexture({ size: [width, height], format, usage });
}

/** Rows of pixels, each in four bytes. */
export async function readTexture(device: GPUDevice, texture: GPUTexture): Promise<number[][][]> {
  const { width, height } = texture;
  const bytesPerRow = 4 * ROW_PIXELS;
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = device.createBuffer({ size: bytesPerRow * height, usage });
  const encoder = device.createCommandEncoder();
  encoder.copyTextureToBuffer({ texture }, { buffer: staging, bytesPerRow }, [width, height]);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const bytes = new Uint8Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => [...bytes.subarray(bytesPerRow * y + 4 * x, bytesPerRow * y + 4 * x + 4)]),
  );
}
