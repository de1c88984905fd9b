/** Everything that callers wait for, begun and not waited for: for tests that dispose of the engine meanwhile. */
import type { Engine, Tensor } from "webgpu-conv";

/** A kernel that compiles quickly, and that an engine of one's own has not compiled yet. */
const QUICK = { solver: "direct" } as const;
const LAYER = { input: [1, 1, 4, 4], weight: [1, 1, 1, 1] } as const;
/** `GPUTextureUsage.RENDER_ATTACHMENT` */
const RENDER_ATTACHMENT = 16;

/** A layer of an engine: what it gives is never disposed of by itself. */
export function layer(engine: Engine): Tensor {
  const x = engine.tensor(new Float32Array(16).fill(1), LAYER.input);
  return engine.conv2d(x, engine.tensor([2], LAYER.weight), QUICK);
}

function deviceOf({ device }: Engine): GPUDevice {
  if (!device) throw new Error("these are for engines with a device");
  return device;
}

export const PENDING: Readonly<Record<string, (engine: Engine) => Promise<unknown>>> = {
  data: (engine) => layer(engine).data(),
  check: (engine) => engine.check(layer(engine)),
  write: (engine) => engine.write(layer(engine), new Float32Array(16)),
  submit: (engine) => (layer(engine), engine.submit()),
  finish: (engine) => (layer(engine), engine.finish()),
  encode: (engine) => engine.encode(deviceOf(engine).createCommandEncoder(), () => layer(engine)),
  compile: (engine) => engine.compile(() => layer(engine)),
  draw: (engine) => {
    const texture = { size: { width: 4 }, format: "rgba8unorm", usage: RENDER_ATTACHMENT } as const;
    return engine.draw(layer(engine), deviceOf(engine).createTexture(texture));
  },
  time: (engine) => engine.time(() => layer(engine)),
  tune: (engine) => engine.tuning.tune("conv2d", LAYER),
};

/** What became of it, in words. */
export async function outcomeOf(pending: Promise<unknown>): Promise<string> {
  try {
    await pending;
    return "done";
  } catch (error) {
    return error instanceof Error ? `${error.constructor.name}: ${error.message}` : `no error: ${String(error)}`;
  }
}

export const DISPOSED = "DeviceError: the engine was disposed before this was done; await it first";
