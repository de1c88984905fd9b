/** Trials find each kernel of each plan that is wrong: every one is broken in turn. */
import type { Engine, OperationName, Tensor } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random, smallIntegers } from "../support/data.js";
import { failingDevice } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { wrongKernels } from "../support/wrongKernels.js";

interface Layer {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly groups?: number;
  readonly stride?: number;
  readonly dtype?: "float16";
  readonly layout?: "channels-last";
}

/** Larger than a trial, so that it is of another size than the layer. */
const DENSE: Layer = { input: [2, 24, 29, 33], weight: [40, 24, 3, 3] };
const DEPTHWISE: Layer = { input: [2, 24, 29, 33], weight: [24, 1, 3, 3], groups: 24 };
const POINTWISE: Layer = { input: [2, 24, 29, 33], weight: [40, 24, 1, 1] };
const FIRST: Layer = { input: [1, 3, 61, 65], weight: [24, 3, 7, 7], stride: 2 };

const FORWARD: readonly (readonly [solver: string, layer: Layer])[] = [
  ["direct", FIRST],
  ["register-tile", DENSE],
  ["register-tile", { ...DENSE, dtype: "float16" }],
  ["vector-tile", POINTWISE],
  ["strip", DEPTHWISE],
  ["rolling-window", DEPTHWISE],
  ["winograd", DENSE],
];
const GRADIENTS: readonly (readonly [solver: string, layer: Layer])[] = [
  ["direct", FIRST],
  ["register-tile", { ...DENSE, stride: 2 }],
  ["strip", DEPTHWISE],
  ["rolling-window", DEPTHWISE],
  ["winograd", DENSE],
];

const CASES: readonly (readonly [operation: OperationName, solver: string, layer: Layer])[] = [
  ...FORWARD.map(([solver, layer]) => ["conv2d", solver, layer] as const),
  ...GRADIENTS.map(([solver, layer]) => ["conv2dWeightGradient", solver, layer] as const),
  ["conv2dInputGradient", "register-tile", { ...DENSE, stride: 2 }],
  ["conv2dInputGradient", "winograd", DENSE],
  ["conv2dBiasGradient", "channel-sum", { ...DENSE, input: [8, 24, 64, 66] }],
];

/** Runs the operation of a layer; its result. */
function run(engine: Engine, operation: OperationName, solver: string, layer: Layer): Tensor {
  const { input, weight, groups = 1, stride = 1, dtype = "float32", layout } = layer;
  const options = { padding: 1, groups, stride, solver, ...(layout && { layout }) };
  const { outputShape } = makeProblem(2, input, weight, { padding: 1, groups, stride });
  const tensorOf = (shape: readonly number[], seed: number): Tensor =>
    engine.tensor(
      smallIntegers(
        new Random(seed),
        shape.reduce((a, b) => a * b),
      ),
      shape,
      { dtype },
    );
  using x = tensorOf(input, 1);
  using w = tensorOf(weight, 2);
  using dy = tensorOf(outputShape, 3);
  switch (operation) {
    case "conv2dWeightGradient":
      return engine.conv2dWeightGradient(dy, x, weight, options);
    case "conv2dInputGradient":
      return engine.conv2dInputGradient(dy, w, input, options);
    case "conv2dBiasGradient":
      return engine.conv2dBiasGradient(dy, { solver });
    default:
      return engine.conv2d(x, w, { ...options, activation: "relu" });
  }
}

describe("a trial", () => {
  for (const [operation, solver, layer] of CASES) {
    const words = `${operation} by ${solver}${layer.dtype ? ` in ${layer.dtype}` : ""}`;
    gpuTest(`passes and fails each kernel of ${words} as it should`, async ({ engine: shared }) => {
      const used = new Set<string>();
      const outcomeWith = async (broken: readonly string[]): Promise<string> => {
        const { device, faults } = failingDevice(deviceOf(shared));
        const wrong = wrongKernels(broken);
        faults.rewrite = (code, label) => {
          used.add(label);
          const changed = wrong(code, label);
          expect(changed !== code).toBe(broken.includes(label));
          return changed;
        };
        using engine = await createEngine({ device, onWarning: () => undefined });
        using result = run(engine, operation, solver, layer);
        const outcome = await result.data().then(() => "right", String);
        await engine.finish().catch(() => undefined);
        return outcome;
      };
      expect(await outcomeWith([])).toBe("right");
      // What repairs infinite sums writes nothing where there are none.
      for (const kernel of [...used].filter((name) => !name.startsWith("repair"))) {
        expect(await outcomeWith([kernel]), kernel).toMatch(
          /^DeviceError: solver .* does not work on this device: element/,
        );
      }
    });
  }
});
