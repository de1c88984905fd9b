/** The small problem on which kernels of a convolution are tried. */
import type { RoleStorages } from "../backend/backend.js";
import { ConvError } from "../base/errors.js";
import type { DeviceParts } from "../gpu/parts.js";
import type { TrialGround } from "../gpu/pipelines/trial.js";
import type { GpuStorage } from "../gpu/device/storage.js";
import { runOperation } from "../gpu/runOperation.js";
import { uploadValues } from "../gpu/uploads.js";
import type { SolverPlan } from "../planning/solver.js";
import { encode } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { decodePixels } from "../problem/images.js";
import { type ConvOperation, keyOf, operandRoles, resultRoles, shapeOfRole } from "../problem/operation.js";
import { BYTES_PER_PIXEL, type Pixels } from "../problem/pixels.js";
import { firstMismatch } from "./compare.js";
import { expectedOf } from "./expected.js";
import type { Experiment } from "./experiment.js";
import { integers } from "./integers.js";
import { twinOf } from "./twin.js";

/** Undefined where no small problem has the same kernels. */
export function convExperiment(whole: ConvOperation, plan: SolverPlan, ground: TrialGround): Experiment | undefined {
  const twin = twinOf(whole, plan, (smaller) => planAs(plan, smaller, ground));
  if (!twin) return undefined;
  const { operation } = twin;
  const inputs = operandRoles(operation).map((name, seed) => {
    const shape = shapeOfRole(operation, name);
    const { pixels } = operation;
    const values = name === "x" && pixels ? imageValues(operation, pixels) : integers(product(shape), seed);
    return { name, shape, values };
  });
  const values = Object.fromEntries(inputs.map((input) => [input.name, input.values]));
  return {
    ...twin,
    inputs,
    results: resultRoles(operation),
    run(parts) {
      const { dtype } = operation;
      const storages: RoleStorages<GpuStorage> = {};
      for (const { name, shape, values } of inputs) {
        const isImage = name === "x" && operation.pixels;
        storages[name] = isImage
          ? uploadImage(parts, operation, operation.pixels)
          : uploadValues(parts, encode(values, dtype), shape, dtype);
        // What repairs infinite sums must leave finite ones as they are: it takes part where the weights are not known to be finite.
        storages[name].finite = false;
      }
      return runOperation(parts, operation, storages, undefined, keyOf(operation));
    },
    expected: () => expectedOf(operation, values),
    mismatch: (got, expected) => firstMismatch(got, expected, operation),
  };
}

/** By the same solver and configuration; undefined where it refuses. */
function planAs(
  { solver: name, config }: SolverPlan,
  operation: ConvOperation,
  { select, capabilities }: TrialGround,
): SolverPlan | undefined {
  try {
    return select(operation, capabilities, { name, config }).plan;
  } catch (error) {
    if (error instanceof ConvError) return undefined;
    throw error;
  }
}

/** The bytes of pixels, of the channels that an image's tensor lacks as well. */
const bytesOfPixels = ({ problem }: ConvOperation): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(integers(BYTES_PER_PIXEL * problem.batch * problem.inputPositions, 0), (value) => 60 * (value + 2));

function uploadImage(parts: DeviceParts, operation: ConvOperation, pixels: Pixels): GpuStorage {
  const { batch, inputPositions } = operation.problem;
  const words = new Float32Array(bytesOfPixels(operation).buffer);
  return { ...uploadValues(parts, words, [batch, inputPositions], "float32"), pixels };
}

/** The values of the images that the bytes are. */
function imageValues(operation: ConvOperation, pixels: Pixels): Float32Array<ArrayBuffer> {
  const { batch, inputPositions, inputShape } = operation.problem;
  const bytes = bytesOfPixels(operation);
  const values = new Float32Array(product(inputShape));
  for (let n = 0; n < batch; n++) {
    const image = bytes.subarray(n * BYTES_PER_PIXEL * inputPositions, (n + 1) * BYTES_PER_PIXEL * inputPositions);
    values.set(decodePixels(image, pixels), n * (values.length / batch));
  }
  return values;
}
