/** Names that a GPU profiler shows for what an engine makes on a device. For `createEngine({ debug: true })`. */
import { product } from "../problem/geometry.js";
import {
  type ConvOperation,
  type Direction,
  operandRoles,
  resultRoles,
  shapeOfRole,
  type TensorRole,
} from "../problem/operation.js";
import type { ConvProblem } from "../problem/problem.js";
import type { GpuStorage } from "./device/storage.js";
import type { OperationBuffers } from "./pipelines/prepared.js";

export interface Labels {
  /** Names an operation's debug group and, with the kernel's name before it, its pipelines, bind groups and uniforms. */
  ofOperation(operation: ConvOperation): string;
  /** Names an uploaded tensor, until an operation reads it. */
  nameUploaded(storage: GpuStorage): void;
  /** Names an operation's buffers: tensors by role, scratch memory by what it holds. Callers' buffers keep their names. */
  nameBuffers(buffers: OperationBuffers, operation: ConvOperation): void;
}

const UPLOADED = "tensor";

/** "weight gradient". */
const inWords = (direction: Direction): string => direction.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

const nameOf = (what: string, shape: readonly number[], type: string): string =>
  `${what} [${shape.join(", ")}] ${type}`;

/** As "64x56x56 -> 64, 3x3, stride 2x2": sizes are the forward pass', whichever pass it is. */
function layerParts({ rank, inChannels, outChannels, input, kernel, stride, dilation, groups }: ConvProblem): string[] {
  const along = (axes: readonly number[]): string => axes.slice(-rank).join("x");
  const isOne = (axes: readonly number[]): boolean => axes.every((value) => value === 1);
  return [
    `${String(inChannels)}x${along(input)} -> ${String(outChannels)}`,
    along(kernel),
    isOne(stride) ? "" : `stride ${along(stride)}`,
    isOne(dilation) ? "" : `dilation ${along(dilation)}`,
    groups === 1 ? "" : `${String(groups)} groups`,
  ];
}

/** As "conv2d forward 64x56x56 -> 64, 3x3", or "activation of 1024 values, relu". */
function ofOperation({ direction, problem, dtype, activation }: ConvOperation): string {
  const isElementwise = /^(activation|slope)/.test(direction);
  const [size, ...rest] = isElementwise ? [`of ${String(product(problem.outputShape))} values`] : layerParts(problem);
  const layer = isElementwise ? "" : `conv${String(problem.rank)}d `;
  const parts = [
    `${layer}${inWords(direction)} ${size}`,
    ...rest,
    activation.name === "none" ? "" : activation.name,
    problem.batch === 1 ? "" : `batch ${String(problem.batch)}`,
    dtype === "float32" ? "" : dtype,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

export const labels: Labels = {
  ofOperation,

  nameUploaded({ pooled, pixels, dtype, shape }) {
    pooled.buffer.label = nameOf(UPLOADED, shape, pixels ? "pixels" : dtype);
  },

  nameBuffers(buffers, operation) {
    const results: readonly string[] = resultRoles(operation);
    const operands: readonly string[] = operandRoles(operation);
    for (const [name, pooled] of Object.entries(buffers)) {
      if (!pooled || pooled.borrowed || name === "unused") continue;
      const { buffer } = pooled;
      if (results.includes(name) || operands.includes(name)) {
        // A result of another operation keeps the name that it got there.
        if (!results.includes(name) && !buffer.label.startsWith(UPLOADED)) continue;
        const type = name === "x" && operation.pixels ? "pixels" : operation.dtype;
        buffer.label = nameOf(name, shapeOfRole(operation, name as TensorRole), type);
      } else {
        buffer.label = `${name} of ${ofOperation(operation)}`;
      }
    }
  },
};
