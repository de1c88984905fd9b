/** Pieces of large layers on every class of devices: they fit what the device binds, add as the whole does, and cover it. */
import { describe, expect, test } from "vitest";
import { type ConvProblem, makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { regionBytes } from "../../src/pieces/piece.js";
import { selectAround } from "../../src/pieces/select.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { DEVICE_CLASSES } from "../../src/planning/devices.js";
import { product } from "../../src/problem/geometry.js";
import { select } from "../../src/solvers/select.js";

const SIZES = {
  "a brain scan": [3, [1, 30, 256, 256, 256], [30, 30, 3, 3, 3], { padding: 1 }],
  "a volume of odd extents": [3, [1, 7, 155, 241, 181], [13, 7, 3, 3, 3], { padding: 1 }],
  "a batch of pictures": [2, [8, 64, 512, 512], [64, 64, 3, 3], { padding: 1 }],
  pointwise: [2, [8, 256, 256, 256], [128, 256, 1, 1], {}],
  "depthwise, strided": [2, [4, 128, 400, 400], [128, 1, 3, 3], { groups: 128, padding: 1, stride: 2 }],
  mirrored: [2, [2, 16, 1500, 1501], [16, 16, 5, 5], { padding: 2, paddingMode: "reflect" }],
} as const;
const DIRECTIONS = ["forward", "inputGradient", "weightGradient", "biasGradient"] as const;

const around = selectAround(select, select, (plan) => plan);

function problemOf(name: keyof typeof SIZES, layout: "channels-first" | "channels-last"): ConvProblem {
  const [rank, [batch, channels, ...spatial], weight, options] = SIZES[name];
  const input = layout === "channels-first" ? [batch, channels, ...spatial] : [batch, ...spatial, channels];
  return makeProblem(rank, input, weight, { ...options, layout });
}

describe.each(DEVICE_CLASSES)("on %s", (deviceClass) => {
  const limits = { ...DEFAULT_CAPABILITIES.limits, maxBufferSize: 2 ** 32 - 4 };
  const most = limits.maxStorageBufferBindingSize;

  test.each(Object.keys(SIZES) as (keyof typeof SIZES)[])("%s", (name) => {
    for (const layout of ["channels-first", "channels-last"] as const) {
      for (const direction of DIRECTIONS) {
        const shaderF16 = direction === "weightGradient";
        const dtype = layout === "channels-last" ? "float16" : "float32";
        const operation = plainOperation(direction, problemOf(name, layout), { dtype });
        const { plan } = around(operation, { ...DEFAULT_CAPABILITIES, deviceClass, shaderF16, limits });
        const { pieces = [], sumParts = 1 } = plan.pieces ?? {};
        if (direction !== "biasGradient") expect(sumParts, direction).toBe(1);
        for (const piece of pieces) {
          for (const region of piece.operands.values()) expect(regionBytes(region)).toBeLessThanOrEqual(most);
          for (const bytes of Object.values(piece.plan.scratchBytes)) expect(bytes).toBeLessThanOrEqual(most);
        }
        // Each element of the results is some piece's, and of one alone.
        for (const role of pieces.at(0)?.results.keys() ?? []) {
          const regions = pieces.flatMap(({ results }) => results.get(role)?.to ?? []);
          const covered = regions.reduce((sum, { shape }) => sum + product(shape), 0);
          expect(covered, direction).toBe(sumParts * product(regions[0].whole));
        }
      }
    }
  });
});
