/** Networks that make pictures larger, from the packages that publish them. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Engine } from "webgpu-conv";
import { readLayersModel } from "webgpu-conv/io";
import { type LoadedModel, loadModel } from "webgpu-conv/nn";
import { installPackages } from "../packages/install.js";

const FOLDER = join(import.meta.dirname, "models");

/** Where packages have their networks. They take and give red, green and blue from 0 to 255, channels-last. */
const FILES = {
  2: "node_modules/@upscalerjs/default-model/models/model.json",
  4: "node_modules/@upscalerjs/esrgan-slim/models/x4/model.json",
} as const;

/** The package's picture and what its own runtime makes of it. */
export const SAMPLES = {
  2: {
    source: join(FOLDER, "node_modules/@upscalerjs/default-model/assets/fixture.png"),
    result: join(FOLDER, "node_modules/@upscalerjs/default-model/assets/samples/2x/result.png"),
  },
  4: {
    source: join(FOLDER, "node_modules/@upscalerjs/esrgan-slim/assets/fixture.png"),
    result: join(FOLDER, "node_modules/@upscalerjs/esrgan-slim/assets/samples/4x/result.png"),
  },
} as const;

/** A network, in evaluation mode. Its tensors are the caller's, to dispose of by `disposeModule`. */
export async function loadNetwork(engine: Engine, scale: 2 | 4): Promise<LoadedModel> {
  installPackages(FOLDER, "the networks");
  const file = join(FOLDER, FILES[scale]);
  const shard = (name: string): Promise<Uint8Array<ArrayBuffer>> => readFile(join(dirname(file), name));
  return loadModel(engine, await readLayersModel(await readFile(file), shard, file));
}
