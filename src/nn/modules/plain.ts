/** Layers without parameters. */
import { show } from "../../base/errors.js";
import type { Activation } from "../../calls/options.js";
import type { Layout } from "../../problem/layout.js";
import { activate } from "../operations/activate.js";
import { avgPool2d, type AveragePoolOptions } from "../operations/pooling/averagePool.js";
import { globalAveragePool } from "../operations/pooling/globalPool.js";
import { maxPool2d, type MaxPoolOptions } from "../operations/pooling/maxPool.js";
import { flatten as flattenTensor } from "../operations/reshape.js";
import { interpolate, type InterpolateOptions } from "../operations/resizing/interpolate.js";
import { defineModule, type Module } from "./module.js";

type Plain = Exclude<Activation<never>, { readonly name: "prelu" }>;

/** An activation on its own: `activation("silu")`. That of a layer before it costs no pass: its option `activation`. */
export const activation = (name: Plain): Module =>
  defineModule({ kind: typeof name === "string" ? name : name.name, forward: (x) => activate(x, name) });

export const relu = (): Module => activation("relu");

/** Largest values of windows: 2D, as the operation `maxPool2d`. */
export const maxPool = (options: MaxPoolOptions): Module =>
  defineModule({ kind: `maxPool2d ${show(options.kernel)}`, forward: (x) => maxPool2d(x, options) });

/** Means of windows: 2D, as the operation `avgPool2d`. */
export const averagePool = (options: AveragePoolOptions): Module =>
  defineModule({ kind: `avgPool2d ${show(options.kernel)}`, forward: (x) => avgPool2d(x, options) });

/** The mean of each channel over all positions, and with `flat` (true when absent) in the shape `[N, C]`. */
export const globalPool = ({
  flat = true,
  layout,
}: { readonly flat?: boolean; readonly layout?: Layout } = {}): Module =>
  defineModule({
    kind: "globalAveragePool",
    forward(x) {
      const y = globalAveragePool(x, layout === undefined ? {} : { layout });
      return flat ? flattenTensor(y) : y;
    },
  });

/** `[N, ...]` as `[N, rest]`, without a copy. */
export const flatten = (): Module => defineModule({ kind: "flatten", forward: flattenTensor });

/** Other extents, as the operation `interpolate`. */
export const upsample = (options: InterpolateOptions): Module =>
  defineModule({ kind: "interpolate", forward: (x) => interpolate(x, options) });
