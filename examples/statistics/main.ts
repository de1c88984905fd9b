/**
 * What a step of training would save if convolutions gathered the statistics of the batch norms behind them: those norms' first pass
 * over y. For each network and class of devices: which part of y's bytes norms read twice, by the kernel that writes them; and which
 * part of a step's bytes, and of its time by a roofline, that pass is. Nothing is run.
 * After a build: `npx tsx --tsconfig examples/tsconfig.json examples/statistics/main.ts`.
 */
import { createEngine, type Engine } from "webgpu-conv/node";
import { disposeModule, explainNetwork, layers, Random } from "webgpu-conv/nn";
import { DEVICES } from "../../src/planning/devices.js";

/** In and out channels, kernel, stride, extent of the input, how many such layers, groups. */
type Layer = readonly [number, number, number, number, number, number, number?];

// prettier-ignore
const RESNET_18: readonly Layer[] = [
  [3, 64, 7, 2, 224, 1], [64, 64, 3, 1, 56, 4],
  [64, 128, 3, 2, 56, 1], [64, 128, 1, 2, 56, 1], [128, 128, 3, 1, 28, 3],
  [128, 256, 3, 2, 28, 1], [128, 256, 1, 2, 28, 1], [256, 256, 3, 1, 14, 3],
  [256, 512, 3, 2, 14, 1], [256, 512, 1, 2, 14, 1], [512, 512, 3, 1, 7, 3],
];
// prettier-ignore
const RESNET_50: readonly Layer[] = [
  [3, 64, 7, 2, 224, 1], [64, 64, 1, 1, 56, 1], [256, 64, 1, 1, 56, 2], [64, 64, 3, 1, 56, 3], [64, 256, 1, 1, 56, 4],
  [256, 128, 1, 1, 56, 1], [128, 128, 3, 2, 56, 1], [128, 512, 1, 1, 28, 4], [256, 512, 1, 2, 56, 1], [512, 128, 1, 1, 28, 3],
  [128, 128, 3, 1, 28, 3], [512, 256, 1, 1, 28, 1], [256, 256, 3, 2, 28, 1], [256, 1024, 1, 1, 14, 6], [512, 1024, 1, 2, 28, 1],
  [1024, 256, 1, 1, 14, 5], [256, 256, 3, 1, 14, 5], [1024, 512, 1, 1, 14, 1], [512, 512, 3, 2, 14, 1], [512, 2048, 1, 1, 7, 3],
  [1024, 2048, 1, 2, 14, 1], [2048, 512, 1, 1, 7, 2], [512, 512, 3, 1, 7, 2],
];
// prettier-ignore
const MOBILENET_V2: readonly Layer[] = [
  [3, 32, 3, 2, 224, 1], [32, 32, 3, 1, 112, 1, 32], [32, 16, 1, 1, 112, 1], [16, 96, 1, 1, 112, 1], [96, 96, 3, 2, 112, 1, 96],
  [96, 24, 1, 1, 56, 1], [24, 144, 1, 1, 56, 2], [144, 144, 3, 1, 56, 1, 144], [144, 24, 1, 1, 56, 1], [144, 144, 3, 2, 56, 1, 144],
  [144, 32, 1, 1, 28, 1], [32, 192, 1, 1, 28, 3], [192, 192, 3, 1, 28, 2, 192], [192, 32, 1, 1, 28, 2], [192, 192, 3, 2, 28, 1, 192],
  [192, 64, 1, 1, 14, 1], [64, 384, 1, 1, 14, 4], [384, 384, 3, 1, 14, 4, 384], [384, 64, 1, 1, 14, 3], [384, 96, 1, 1, 14, 1],
  [96, 576, 1, 1, 14, 3], [576, 576, 3, 1, 14, 2, 576], [576, 96, 1, 1, 14, 2], [576, 576, 3, 2, 14, 1, 576], [576, 160, 1, 1, 7, 1],
  [160, 960, 1, 1, 7, 3], [960, 960, 3, 1, 7, 3, 960], [960, 160, 1, 1, 7, 2], [960, 320, 1, 1, 7, 1], [320, 1280, 1, 1, 7, 1],
];
/** With maps of 64 x 64 in place of 224 x 224. */
const SMALL = RESNET_18.map(([inputs, outputs, kernel, stride, extent, count]): Layer => {
  return [inputs, outputs, kernel, stride, (extent * 64) / 224, count];
});
const NETWORKS = {
  "ResNet-18 at 64x64": { network: SMALL, batch: 16 },
  "ResNet-18": { network: RESNET_18, batch: 32 },
  "ResNet-50": { network: RESNET_50, batch: 32 },
  MobileNetV2: { network: MOBILENET_V2, batch: 32 },
};
const CLASSES = ["nvidia", "amd-rdna", "intel-xe-lp", "apple"] as const;
const BYTES = 4;

const product = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

/** Whether a batch norm in training reads maps of that shape once, a channel in a workgroup's registers. */
function readsOnce(engine: Engine, shape: readonly number[]): boolean {
  const norm = layers.batchNorm({ engine, random: new Random(1) }, shape[1]);
  const [{ operations }] = explainNetwork(norm, shape).layers;
  disposeModule(norm);
  return operations[0].plan?.solver === "one-read";
}

interface Network {
  readonly network: readonly Layer[];
  readonly batch: number;
}

function report(engine: Engine, { network, batch }: Network, intensity: number): string {
  const byKernel = new Map<string, number>();
  const sums = { y: 0, saved: 0, bytes: 0, time: 0 };
  for (const [inputs, outputs, kernel, stride, extent, count, groups = 1] of network) {
    const weight = [outputs, inputs / groups, kernel, kernel];
    const input = [batch, inputs, extent, extent];
    const options = { stride, padding: (kernel - 1) / 2, groups };
    const { problem, dispatches } = engine.explain("conv2d", { input, weight }, options);
    const { outputShape, multiplyAdds } = problem;
    const y = BYTES * product(outputShape);
    const once = readsOnce(engine, outputShape);
    const pass = BYTES * (product(input) + product(weight)) + y;
    // Norms: x once or twice and the result; the gradient x and dy once or twice, and dx.
    const norms = (once ? 2 + 3 : 3 + 5) * y;
    sums.y += count * y;
    sums.bytes += count * (3 * pass + norms);
    sums.time += count * (3 * Math.max(pass, multiplyAdds / intensity) + norms);
    if (once) continue;
    sums.saved += count * y;
    const last = dispatches[dispatches.length - 1].kernel;
    byKernel.set(last, (byKernel.get(last) ?? 0) + count * y);
  }
  const kernels = [...byKernel].sort(([, a], [, b]) => b - a).map(([name, y]) => `${name} ${percent(y / sums.y)}`);
  const saved = `${percent(sums.saved / sums.bytes)} of the bytes, ${percent(sums.saved / sums.time)} of the time`;
  return `${saved}; y read twice: ${kernels.join(", ") || "nowhere"}`;
}

for (const deviceClass of CLASSES) {
  using engine = await createEngine({ deviceClass });
  for (const [name, network] of Object.entries(NETWORKS)) {
    console.log(
      `${name}, batch ${String(network.batch)}, ${deviceClass}: ${report(engine, network, DEVICES[deviceClass].intensity)}`,
    );
  }
}
