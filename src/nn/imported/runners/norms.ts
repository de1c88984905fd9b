/** Runs norms. */
import { batchNorm } from "../../operations/batchNorm.js";
import { instanceNorm } from "../../operations/groupNorm.js";
import type { Runners } from "./runner.js";

export const RUNNERS = {
  batchNorm: (node, { value, weight, training }, activation) =>
    batchNorm(value(node.x), {
      runningMean: weight(node.mean),
      runningVar: weight(node.variance),
      ...(node.weight !== undefined && { weight: weight(node.weight) }),
      ...(node.bias !== undefined && { bias: weight(node.bias) }),
      eps: node.eps,
      layout: node.layout,
      training,
      activation,
    }),
  instanceNorm: (node, { value, weight }, activation) =>
    instanceNorm(value(node.x), {
      weight: weight(node.weight),
      bias: weight(node.bias),
      eps: node.eps,
      layout: node.layout,
      activation,
    }),
} satisfies Runners;
