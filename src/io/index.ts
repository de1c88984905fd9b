/**
 * `webgpu-conv/io`: weights and networks from files, weights to files.
 *
 * ```ts
 * const { tensors } = await readSafetensors(await file.arrayBuffer(), file.name);
 * const weight = tensors.get("conv1.weight");
 * if (weight) engine.tensor(floatValues(weight), weight.shape);
 * ```
 */
export type { ByteSource } from "../base/byteReader.js";
export { FileError } from "../base/fileError.js";
export type * from "./graph.js";
export { type NpzOptions, type NpzTensors, readNpy, readNpz, streamNpz } from "./npz/readNpz.js";
export { readSafetensors, type SafeTensors, streamSafetensors, writeSafetensors } from "./safetensors.js";
export { floatTensor, floatValues, type SafeDType, type SafeTensor } from "./safeTensor.js";
export { readOnnx } from "./onnx/readOnnx.js";
export { readLayersModel, readLayersStructure } from "./tfjs/layersModel.js";
export type { ShardSource } from "./tfjs/manifest.js";
