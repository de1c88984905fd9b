/** Along which axes an operation is cut, and in which order. */
import { type ConvOperation, operandRoles, resultRoles, type TensorRole } from "../problem/operation.js";
import { type Counts, type CutAxis, extentOf, spatialAxes } from "./ranges.js";

const isUnshared = ({ problem }: ConvOperation): boolean => problem.weightPositionStride > 0;

/** Whether results are sums over what lies along the axis: pieces along it compute parts of the same sums. */
export function isSumAxis(operation: ConvOperation, axis: CutAxis): boolean {
  const { direction } = operation;
  if (direction !== "weightGradient" && direction !== "biasGradient" && direction !== "slopeGradient") return false;
  if (axis === "samples") return true;
  return spatialAxes(operation).includes(axis) && !(direction === "weightGradient" && isUnshared(operation));
}

/** Whether an operation can be cut along an axis where it is cut so already: within a group only once groups are apart. */
export function mayCut(operation: ConvOperation, axis: CutAxis, counts: Counts): boolean {
  const isWithinGroup = axis === "input channels" || axis === "output channels";
  return !isWithinGroup || counts.groups >= extentOf(operation, "groups");
}

/** The axes along which less of a tensor is bound, the best first. Those of sums are last. */
function axesOfRole(operation: ConvOperation, role: TensorRole): readonly CutAxis[] {
  const { direction, problem } = operation;
  const positions = spatialAxes(operation);
  const unshared = isUnshared(operation) ? positions : [];
  const own: readonly CutAxis[] = ["groups", role === "x" ? "input channels" : "output channels"];
  switch (direction) {
    case "forward":
    case "inputGradient": {
      const [result, axis] =
        direction === "forward" ? (["y", "output channels"] as const) : (["x", "input channels"] as const);
      const channels: readonly CutAxis[] = ["groups", axis];
      if (role === "w") return [...channels, ...unshared];
      if (role === "bias" || role === "slopes") return channels;
      if (role !== result && role !== "residual") return ["samples", "groups", ...positions];
      if (problem.layout === "channels-last") return ["samples", ...positions, ...channels];
      return ["samples", ...channels, ...positions];
    }
    case "weightGradient":
      if (role === "w" || role === "bias") return ["groups", "output channels", "input channels", ...unshared];
      return [...unshared, ...own, "samples", ...(unshared.length > 0 ? [] : positions)];
    case "biasGradient":
    case "slopeGradient":
      return [direction === "biasGradient" ? "output channels" : "groups", "samples", ...positions];
    case "activation":
    case "activationGradient":
      return ["samples", "groups", ...positions];
  }
}

/** What scratch memory holds that is not named after a tensor. */
function roleOf(operation: ConvOperation, name: string): TensorRole {
  const [result] = resultRoles(operation);
  const isGradient = operation.direction === "weightGradient";
  const [source] = isGradient ? (["x"] as const) : operandRoles(operation);
  const [first] = name.split(" ");
  const named: Readonly<Partial<Record<string, TensorRole>>> = {
    partials: result,
    unfolded: source,
    weights: "w",
    "winograd sources": source,
    "winograd sums": isGradient ? "y" : result,
    "winograd filters": "w",
  };
  return named[name] ?? named[first] ?? (first as TensorRole);
}

/** The axes to cut along where this buffer is too large, all others behind those that make it smaller. */
export function axesFor(operation: ConvOperation, name: string | undefined): readonly CutAxis[] {
  const first = name === undefined ? [] : axesOfRole(operation, roleOf(operation, name));
  const others = [...operandRoles(operation), ...resultRoles(operation)].flatMap((role) => axesOfRole(operation, role));
  const axes = new Set(name !== undefined && first.length > 0 ? first : others);
  return [...axes];
}
