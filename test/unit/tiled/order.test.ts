/** Plans of tiles add in the order of the whole's plan, on every class of devices. */
import { describe, expect, test } from "vitest";
import { Tensor } from "webgpu-conv";
import type { TiledLayer } from "../../../src/tiled/layers.js";
import { readStack } from "../../../src/tiled/layers.js";
import { LayerSolver } from "../../../src/tiled/solvers.js";
import { Partitions } from "../../../src/tiled/partition.js";
import type { TileHost } from "../../../src/tiled/host.js";
import { DEFAULT_CAPABILITIES } from "../../../src/planning/capabilities.js";
import { DEVICE_CLASSES, type DeviceClass } from "../../../src/planning/devices.js";
import { select } from "../../../src/solvers/select.js";
import { Random } from "../../support/data.js";
import { describeStack, randomStack, type StackLayer, type StackSpace } from "../../support/randomStack.js";
import { wrong } from "../../support/wrong.js";
import type { DType } from "../../../src/problem/dtype.js";

const LARGE: StackSpace = {
  channels: [1, 3, 4, 8, 16, 30, 32, 64, 128, 300],
  extents: { 1: [9, 3000], 2: [5, 300], 3: [3, 60] },
};
const STACKS = 6;

/** A tensor that is nowhere. */
function fakeTensor(shape: readonly number[], dtype: DType): Tensor {
  const storage = { dtype, size: 1, bytes: 4 };
  return new Tensor(wrong({ release: () => undefined }), wrong({ shape, storage }), storage);
}

/** @param able whether shaders have float16, and lanes broadcast */
function hostOf(deviceClass: DeviceClass, able: boolean): TileHost {
  const capabilities = { ...DEFAULT_CAPABILITIES, deviceClass, shaderF16: able, subgroupLanes: able ? 8 : 1 };
  const adapter = { maxTensorBytes: 2 ** 40, description: "a device" };
  const backend = {
    adapter,
    capabilities,
    select: (operation: never, choice: never) => select(operation, capabilities, choice),
  };
  return wrong({ backend, choiceFor: () => undefined });
}

const layerOf = ({ weight, bias, options }: StackLayer, dtype: DType): TiledLayer => ({
  ...options,
  weight: fakeTensor(weight, dtype),
  ...(bias && {
    bias: fakeTensor([options.transposed === true ? weight[1] * (options.groups ?? 1) : weight[0]], dtype),
  }),
});

describe.each(DEVICE_CLASSES)("on %s", (deviceClass) => {
  test.each([1, 2])("random stacks, part %i", (part) => {
    const random = new Random(part);
    const host = hostOf(deviceClass, part % 2 === 0);
    for (let i = 0; i < STACKS; i++) {
      const stack = randomStack(random, LARGE);
      const read = readStack(
        stack.layers.map((layer) => layerOf(layer, stack.dtype)),
        stack.input,
        stack.layout,
      );
      const solvers = read.layers.map((layer) => new LayerSolver(host, layer));
      const partitions = new Partitions(host, read, solvers);
      const sizes = partitions.extents.map((extent, axis) => {
        const unit = partitions.units[axis];
        return Math.min(extent, unit * random.integer(1, Math.max(1, Math.ceil(extent / unit / 2))));
      });
      const cost = partitions.costOfAll(sizes);
      expect(typeof cost, `${describeStack(stack)} by ${sizes.join()}: ${JSON.stringify(cost)}`).toBe("object");
    }
  });
});
