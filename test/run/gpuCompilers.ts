/** Whether the compilers of GPUs are at hand, which test/unit/kernels asks what they make of some kernels. */
import { resolve } from "node:path";
import { compilersFolder, compilersMissing } from "../../examples/kernels/compilers.js";

/** For the beginning and the end of a log. */
export function describeCompilers(): string {
  const folder = compilersFolder(resolve(import.meta.dirname, "../.."), process.env);
  const missing = compilersMissing(folder);
  return missing === undefined
    ? `The compilers of GPUs are those of ${folder}`
    : `THE COMPILERS OF GPUS ARE NOT USED, what they make of kernels is not tested: ${missing}`;
}
