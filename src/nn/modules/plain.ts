/** Layers without parameters. */
import { require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { readActivation } from "../../problem/activation.js";
import type { Layout } from "../../problem/layout.js";
import { activate } from "../operations/activate.js";
import { avgPool2d, type AveragePoolOptions } from "../operations/pooling/averagePool.js";
import { globalAveragePool } from "../operations/pooling/globalPool.js";
import { maxPool2d, type MaxPoolOptions } from "../operations/pooling/maxPool.js";
import { flatten as flattenTensor } from "../operations/reshape.js";
import { interpolate, type InterpolateOptions } from "../operations/resizing/interpolate.js";
import type { PlainActivation } from "./fusion.js";
import { defineModule, makeModule, type Module } from "./module.js";

/**
 * An activation on its own: `activation("silu")`. Behind a layer in `sequential` it costs no pass, as that layer's option `activation`
 * does not.
 */
export function activation(name: PlainActivation): Module {
  require((name as unknown) !== undefined, () => 'activation is undefined; expected one by name: "relu"');
  return makeModule({ kind: readActivation(name).name, forward: (x) => activate(x, name) }, { isActivation: name });
}

export const relu = (): Module => activation("relu");

/** Largest values of windows: 2D, as the operation `maxPool2d`. */
export function maxPool(options: MaxPoolOptions): Module {
  requireKernel(options);
  return defineModule({ kind: `maxPool2d ${show(options.kernel)}`, forward: (x) => maxPool2d(x, options) });
}

/** Means of windows: 2D, as the operation `avgPool2d`. */
export function averagePool(options: AveragePoolOptions): Module {
  requireKernel(options);
  return defineModule({ kind: `avgPool2d ${show(options.kernel)}`, forward: (x) => avgPool2d(x, options) });
}

function requireKernel(options: { readonly kernel: unknown } | undefined): void {
  require(options?.kernel !== undefined, () => {
    const remedy =
      typeof options === "number" ? `{ kernel: ${String(options)} }` : "an object with at least kernel: { kernel: 2 }";
    return `options is ${show(options)}; expected ${remedy}`;
  });
}

export interface GlobalPoolLayerOptions {
  /** Whether the result has the shape `[N, C]`. True when absent. */
  readonly flat?: boolean;
  /** "channels-first" when absent. */
  readonly layout?: Layout;
}
const GLOBAL_POOL_OPTIONS = optionKeys<GlobalPoolLayerOptions>(
  { flat: 1, layout: 1 },
  { boolean: "flat", string: "layout" },
);

/** The mean of each channel over all positions. */
export function globalPool(options: GlobalPoolLayerOptions = {}): Module {
  requireOptions(options, GLOBAL_POOL_OPTIONS);
  const { flat = true, layout } = options;
  require(typeof flat === "boolean", () => `flat is ${show(flat)}; expected true or false`);
  return defineModule({
    kind: "globalAveragePool",
    forward(x) {
      const y = globalAveragePool(x, layout === undefined ? {} : { layout });
      if (!flat) return y;
      const means = flattenTensor(y);
      y.dispose();
      return means;
    },
  });
}

/** `[N, ...]` as `[N, rest]`, without a copy. */
export const flatten = (): Module => defineModule({ kind: "flatten", forward: flattenTensor });

/** Other extents, as the operation `interpolate`. */
export function upsample(options: InterpolateOptions): Module {
  require(typeof (options as unknown) === "object" && (options as unknown) !== null, () => {
    return `options is ${show(options)}; expected { scaleFactor } or { size }`;
  });
  return defineModule({ kind: "interpolate", forward: (x) => interpolate(x, options) });
}
