/** Runs means over axes. */
import { globalAveragePool } from "../../operations/pooling/globalPool.js";
import { flatten } from "../../operations/reshape.js";
import { mean } from "../../operations/sums.js";
import type { Runners } from "./runner.js";

export const RUNNERS = {
  mean({ x: name, axes, keepDims }, { value }) {
    const x = value(name);
    const rank = x.shape.length;
    const over = new Set(axes?.map((axis) => (axis < 0 ? axis + rank : axis)));
    // Over all positions, that is: they lie together.
    const isGlobal = rank > 2 && rank < 6 && over.size === rank - 2 && !over.has(0) && !over.has(1);
    if (!isGlobal || Math.max(...over) >= rank) return mean(x, { ...(axes && { axes }), keepDims });
    const y = globalAveragePool(x, { layout: "channels-first" });
    if (keepDims) return y;
    const flat = flatten(y);
    y.dispose();
    return flat;
  },
} satisfies Runners;
