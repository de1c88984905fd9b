/** Runs pooling. */
import { avgPool1d, avgPool2d, avgPool3d } from "../../operations/pooling/averagePool.js";
import { globalAveragePool, globalMaxPool } from "../../operations/pooling/globalPool.js";
import { maxPool1d, maxPool2d, maxPool3d } from "../../operations/pooling/maxPool.js";
import { flatten } from "../../operations/reshape.js";
import type { Runners } from "./runner.js";

export const RUNNERS = {
  pool({ x, how, rank, dilation, countIncludePad = false, options }, { value }) {
    const at = rank - 1;
    if (how === "average") return [avgPool1d, avgPool2d, avgPool3d][at](value(x), { ...options, countIncludePad });
    const pool = [maxPool1d, maxPool2d, maxPool3d][at];
    return pool(value(x), { ...options, ...(dilation !== undefined && { dilation }) });
  },
  globalPool(node, { value }) {
    const y = (node.how === "max" ? globalMaxPool : globalAveragePool)(value(node.x), { layout: node.layout });
    if (!node.flat) return y;
    const flat = flatten(y);
    y.dispose();
    return flat;
  },
} satisfies Runners;
