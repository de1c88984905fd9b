/** The networks, by name. */
import type { layers, Module } from "webgpu-conv/nn";
import { initialise } from "../train/initialise.js";
import { residualNetwork } from "./bottleneck.js";
import { dilatedContext } from "./dilatedContext.js";
import { inceptionNetwork } from "./inception.js";
import { networkInNetwork } from "./networkInNetwork.js";
import { stackOfFive, stackOfThree } from "./stacks.js";
import { strided } from "./strided.js";
import { digits, digitsOfPixels, strokes, type Task } from "./tasks.js";
import { withSeven, withThrees } from "./threeOrSeven.js";
import { unet } from "./unet.js";

export interface System {
  readonly title: string;
  readonly task: Task;
  /** Makes the network for pictures of one channel, of any extents that are multiples of 4. */
  readonly make: (init: layers.Init, classes: number) => Module;
}

export const SYSTEMS: Readonly<Record<string, System>> = {
  "stack-3": { title: "a stack of filters F=3, S=1, P=1", task: digits, make: stackOfThree },
  "stack-5": { title: "a stack of filters F=5, S=1, P=2", task: digits, make: stackOfFive },
  strided: { title: "strides in the place of pooling", task: digits, make: strided },
  "three-3x3": { title: "three layers of 3x3: 27 C^2 weights", task: digits, make: withThrees },
  "one-7x7": { title: "one layer of 7x7: 49 C^2 weights", task: digits, make: withSeven },
  "network-in-network": { title: "Network in Network", task: digits, make: networkInNetwork },
  bottleneck: { title: "a ResNet of bottlenecks", task: digits, make: residualNetwork },
  inception: { title: "GoogLeNet's inception blocks", task: digits, make: inceptionNetwork },
  dilated: { title: "a context module of dilated layers", task: digitsOfPixels, make: dilatedContext },
  unet: { title: "a small U-Net", task: strokes, make: unet },
};

/** The network, with He's first values. */
export async function makeNetwork({ make, task }: System, init: layers.Init): Promise<Module> {
  const network = make(init, task.classes);
  await initialise(network, init.engine, init.random);
  return network;
}
