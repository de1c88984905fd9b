/** Installs ONNX Runtime (140 MB) into this folder, where it is not there, for `npm run test:onnxruntime`. */
import { installPackages } from "../../examples/packages/install.js";

installPackages(import.meta.dirname, "ONNX Runtime");
