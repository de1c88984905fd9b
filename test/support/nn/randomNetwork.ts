/** Small random networks of what tiles can have, in two dimensions. */
import type { Engine } from "webgpu-conv";
import {
  add,
  concat,
  defineModule,
  interpolate,
  layers,
  maxPool2d,
  type Module,
  pad,
  pixelShuffle,
  Random,
  setTraining,
} from "webgpu-conv/nn";
import type { Random as TestRandom } from "../data.js";

type PaddingMode = NonNullable<Parameters<typeof layers.conv2d>[3]["paddingMode"]>;
const MODES: readonly PaddingMode[] = ["zeros", "zeros", "reflect", "symmetric"];

/** A network in evaluation mode, and the channels of its input. */
export interface RandomNetwork {
  readonly module: Module;
  readonly channels: number;
}

export function randomNetwork(engine: Engine, random: TestRandom): RandomNetwork {
  const init = { engine, random: new Random(random.integer(1, 2 ** 30)) };
  const channels = random.integer(1, 5);
  const count = random.integer(1, 5);
  const parts: Module[] = [];
  let width = channels;
  for (let i = 0; i < count; i++) {
    const { module, out } = randomPart(init, random, width);
    parts.push(module);
    width = out;
  }
  parts.push(layers.conv2d(init, width, random.integer(1, 4), { kernel: 1 }));
  const module = layers.sequential(parts);
  setTraining(module, false);
  return { module, channels };
}

type Init = Parameters<typeof layers.conv2d>[0];

interface Part {
  readonly module: Module;
  readonly out: number;
}

function randomPart(init: Init, random: TestRandom, width: number): Part {
  const out = random.pick([2, 3, 4, 8, 16]);
  const padding = (extent: number): [[number, number], [number, number]] => [
    [random.integer(0, extent), random.integer(0, extent)],
    [random.integer(0, extent), random.integer(0, extent)],
  ];
  const activation = random.pick(["relu", "silu", "none"] as const);
  const same = (inner: number): Module => layers.conv2d(init, width, inner, { kernel: 3, padding: 1, activation });
  switch (random.integer(0, 10)) {
    case 0:
      return { module: layers.conv2d(init, width, out, { kernel: 1, activation }), out };
    case 1: {
      const kernel = random.pick([2, 3, 5]);
      const stride = random.integer(1, 3);
      return { module: layers.conv2d(init, width, out, { kernel, stride, padding: padding(1), activation }), out };
    }
    case 2: {
      const dilation = random.integer(1, 3);
      const options = { kernel: 3, dilation, padding: dilation, paddingMode: random.pick(MODES), activation };
      return { module: layers.conv2d(init, width, out, options), out };
    }
    case 3:
      return {
        module: layers.conv2d(init, width, width, { kernel: 3, padding: 1, groups: width, activation }),
        out: width,
      };
    case 4: {
      const stride = random.integer(1, 3);
      const kernel = random.integer(stride, 4);
      return {
        module: layers.convTranspose2d(init, width, out, { kernel, stride, padding: random.integer(0, 1), activation }),
        out,
      };
    }
    case 5: {
      const kernel = random.integer(1, 3);
      const options = { kernel, stride: random.integer(1, 2), padding: random.integer(0, kernel - 1) };
      return { module: random.pick([layers.maxPool, layers.averagePool])(options), out: width };
    }
    case 6: {
      const mode = random.pick(["nearest", "bilinear"] as const);
      return { module: layers.upsample({ scaleFactor: random.pick([2, 3]), mode }), out: width };
    }
    case 7: {
      const wide = same(4 * out);
      const shuffled = defineModule({
        kind: "shuffled",
        children: { wide },
        forward: (x) => {
          using y = wide.forward(x);
          return pixelShuffle(y, 2);
        },
      });
      return { module: shuffled, out };
    }
    case 8: {
      const inner = same(width);
      const norm = layers.batchNorm(init, width);
      const block = defineModule({
        kind: "block",
        children: { inner, norm },
        forward: (x) => {
          using y = inner.forward(x);
          using z = norm.forward(y);
          return add(x, z, { activation: "relu" });
        },
      });
      return { module: block, out: width };
    }
    case 9: {
      const inner = same(out);
      const skip = defineModule({
        kind: "skip",
        children: { inner },
        forward: (x) => {
          using smaller = maxPool2d(x, { kernel: 2 });
          using y = inner.forward(smaller);
          using larger = interpolate(y, { scaleFactor: 2, mode: "nearest" });
          const missing = [2, 3].map((axis): [number, number] => [0, x.shape[axis] - larger.shape[axis]]);
          using fitting = pad(larger, { padding: missing });
          return concat([x, fitting], 1);
        },
      });
      return { module: skip, out: width + out };
    }
    default: {
      const inner = same(out);
      const sides = padding(2);
      const branches = defineModule({
        kind: "branches",
        children: { inner },
        forward: (x) => {
          using y = inner.forward(x);
          using both = concat([x, y], 1);
          return pad(both, { padding: sides, paddingMode: "reflect" });
        },
      });
      return { module: branches, out: width + out };
    }
  }
}
