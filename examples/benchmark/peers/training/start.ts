/** What every engine begins with: first values of all parameters, and a batch. */
import { randomValues } from "../../random.js";
import type { Layer, Loss, Network } from "./networks.js";

export type Values = Float32Array<ArrayBuffer>;

/** A parameter, in PyTorch's shape. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Its values are uniform in [-bound, bound]; undefined where all are `fill`. */
  readonly bound?: number;
  readonly fill: number;
}

export interface Start {
  readonly parameters: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Values }>;
  readonly x: Values;
  /** What the loss compares with: labels `[N]`, or values. */
  readonly target: Values;
  readonly targetShape: readonly number[];
}

/** Of all layers, in order. */
export function parametersOf(layers: readonly Layer[]): Parameter[] {
  return layers.flatMap((layer): Parameter[] => {
    switch (layer.kind) {
      case "conv": {
        const { name, inChannels, filters, kernel, bias } = layer;
        const weight = filter(`${name}.weight`, [filters, inChannels, kernel, kernel]);
        return bias ? [weight, constant(`${name}.bias`, filters, 0)] : [weight];
      }
      case "linear": {
        const [channels, height, width] = layer.map;
        const weight = filter(`${layer.name}.weight`, [layer.outputs, channels * height * width]);
        return [weight, constant(`${layer.name}.bias`, layer.outputs, 0)];
      }
      case "batchNorm":
        return [constant(`${layer.name}.weight`, layer.channels, 1), constant(`${layer.name}.bias`, layer.channels, 0)];
      case "residual":
        return parametersOf([...layer.body, layer.norm, ...layer.shortcut]);
      case "sum":
        return parametersOf(layer.body);
      case "concat":
        return parametersOf(layer.branches.flat());
      default:
        return [];
    }
  });
}

/** Batch norms' layers, of all depths: each has running statistics. */
export function normsOf(layers: readonly Layer[]): { readonly name: string; readonly channels: number }[] {
  return layers.flatMap((layer) => {
    if (layer.kind === "batchNorm") return [layer];
    if (layer.kind === "sum") return normsOf(layer.body);
    if (layer.kind === "concat") return normsOf(layer.branches.flat());
    return layer.kind === "residual" ? normsOf([...layer.body, layer.norm, ...layer.shortcut]) : [];
  });
}

const constant = (name: string, extent: number, fill: number): Parameter => ({ name, shape: [extent], fill });

/** He's deviation sqrt(2 / fan-in) (He et al., 2015), of a uniform distribution. */
function filter(name: string, shape: readonly number[]): Parameter {
  const fanIn = shape.slice(1).reduce((product, extent) => product * extent, 1);
  return { name, shape, bound: Math.sqrt(6 / fanIn), fill: 0 };
}

/** The same values in every run. */
export function startOf({ layers, input, loss }: Network): Start {
  const parameters = parametersOf(layers).map(({ name, shape, bound, fill }, i) => {
    const size = sizeOf(shape);
    const values =
      bound === undefined ? new Float32Array(size).fill(fill) : randomValues(size, i + 2).map((value) => bound * value);
    return [name, { shape, values }] as const;
  });
  return { parameters: new Map(parameters), x: randomValues(sizeOf(input), 1), ...targetOf(loss, input[0]) };
}

function targetOf(loss: Loss, batch: number): Pick<Start, "target" | "targetShape"> {
  if (loss.kind === "meanSquares") return { target: randomValues(sizeOf(loss.shape), 0), targetShape: loss.shape };
  // No label twice where there are more classes than samples.
  return { target: Float32Array.from({ length: batch }, (_, i) => (i * 7) % loss.classes), targetShape: [batch] };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);
