/** What an optimizer's step takes: dispatches of ResNet-18, memory within bindings. */
import { describe, expect, test } from "vitest";
import { inBanks, type ParameterSpec } from "../../../src/nn/optimizers/banks.js";
import { readAdam, readSgd } from "../../../src/nn/optimizers/options.js";
import { stepOperation } from "../../../src/nn/optimizers/stepOperation.js";
import { DEFAULT_CAPABILITIES } from "../../../src/planning/capabilities.js";
import { selectTensorSolver } from "../../../src/planning/tensorOperation.js";

const convolution = (name: string, out: number, into: number, kernel: number): [string, number[]][] => [
  [`${name}.conv.weight`, [out, into, kernel, kernel]],
  [`${name}.norm.weight`, [out]],
  [`${name}.norm.bias`, [out]],
];

/** He et al., "Deep Residual Learning for Image Recognition", 2016: 18 layers, and a convolution where a shortcut changes shape. */
function resNet18(): ParameterSpec[] {
  const shapes = convolution("conv1", 64, 3, 7);
  let into = 64;
  for (const out of [64, 128, 256, 512]) {
    for (const place of [0, 1]) {
      const name = `${String(out)}.${String(place)}`;
      shapes.push(...convolution(`${name}.a`, out, into, 3), ...convolution(`${name}.b`, out, out, 3));
      if (into !== out) shapes.push(...convolution(`${name}.shortcut`, out, into, 1));
      into = out;
    }
  }
  shapes.push(["fc.weight", [1000, 512]], ["fc.bias", [1000]]);
  return shapes.map(([name, shape]) => ({ name, shape, dtype: "float32", decay: 0 }));
}

function dispatchesOf({ rule }: ReturnType<typeof readSgd>, maxStorageBuffersPerShaderStage: number): number {
  const banks = inBanks(resNet18(), rule.sections);
  const limits = { ...DEFAULT_CAPABILITIES.limits, maxStorageBuffersPerShaderStage };
  return selectTensorSolver(stepOperation(rule, banks), { ...DEFAULT_CAPABILITIES, limits }).plan.dispatches.length;
}

describe("a step of ResNet-18", () => {
  test("has 62 parameters", () => {
    const parameters = resNet18();
    expect(parameters.length).toBe(62);
    // As torchvision counts them.
    expect(inBanks(parameters, ["one"]).reduce((sum, { size }) => sum + size, 0)).toBe(11_689_512);
  });

  test.each([
    ["sgd", readSgd({ lr: 0.1 }), 22, 17],
    ["sgd with momentum", readSgd({ lr: 0.1, momentum: 0.9 }), 22, 17],
    ["adam", readAdam({}, "adam"), 22, 17],
    ["adamw that clips", readAdam({ clipNorm: 1 }, "adamw"), 32, 26],
  ])("%s takes few dispatches, where 8 buffers are bound and where 10 are", (_, settings, ofEight, ofTen) => {
    expect([dispatchesOf(settings, 8), dispatchesOf(settings, 10)]).toEqual([ofEight, ofTen]);
  });
});

describe("state", () => {
  const parameter = (name: string, size: number, dtype: ParameterSpec["dtype"] = "float32"): ParameterSpec => {
    return { name, shape: [size], dtype, decay: 0 };
  };

  test("is in banks that a device binds, by element type", () => {
    const parameters = [
      parameter("a", 10),
      parameter("half", 3, "float16"),
      parameter("b", 6),
      parameter("c", 5),
      parameter("large", 100),
      parameter("d", 1),
    ];
    const banks = inBanks(parameters, ["expAvg", "expAvgSq"], 40);
    const placed = banks.map(({ size, sections, parameters: own }) => {
      return {
        size,
        sections: sections.length,
        own: own.map(({ name, index, place }) => `${name} ${String(index)} ${String(place)}`),
      };
    });
    expect(placed).toEqual([
      { size: 32, sections: 2, own: ["a 0 0", "b 2 20"] },
      { size: 10, sections: 2, own: ["c 3 0"] },
      { size: 200, sections: 2, own: ["large 4 0"] },
      { size: 2, sections: 2, own: ["d 5 0"] },
      { size: 9, sections: 3, own: ["half 1 0"] },
    ]);
  });
});
