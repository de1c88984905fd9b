/** This repository's engine: `webgpu-conv/nn`, a step of training recorded once. */
import { createEngine } from "webgpu-conv";
import { compileTraining, Tape } from "webgpu-conv/nn";
import { OWN_ENGINE } from "../../engine.js";
import { measureHost } from "../hostCost.js";
import { lossOf, makeTensors, optimizerOf, runner } from "../layers.js";
import type { Network } from "../networks.js";
import type { Start } from "../start.js";
import type { Trainer } from "../trainer.js";

export async function openWebgpuConv(network: Network, start: Start): Promise<Trainer> {
  const engine = await createEngine();
  const { device } = engine;
  if (!device) throw new Error("webgpu-conv opened no WebGPU device");
  const { parameters, statistics } = makeTensors(network, start, (values, shape) => engine.tensor(values, shape));
  const { input, layers } = network;
  const optimizer = optimizerOf(engine, parameters, network);
  const run = runner(engine, { ...parameters, ...statistics });
  const losses: number[] = [];
  const step = await compileTraining(engine, {
    inputs: { x: input, target: start.targetShape },
    compute: ({ x, target }) => lossOf(network, run(layers, x), target),
    parameters,
    optimizer,
    onMetrics: ({ loss }) => losses.push(loss),
  });
  const batch = { x: start.x, target: start.target };
  return {
    name: OWN_ENGINE,
    device,
    step: () => step.run(batch),
    finish: async () => {
      await step.finish();
      await engine.finish();
    },
    losses,
    read: (parameter) => parameters[parameter].data(),
    measureHost: async () => {
      const x = engine.tensor(start.x, input);
      const target = engine.tensor(start.target, start.targetShape);
      const compiled = await engine.compile(() => {
        const tape = new Tape(engine);
        const loss = tape.run(() => lossOf(network, run(layers, x), target));
        const gradients = tape.gradients(loss, parameters);
        optimizer.step(gradients);
        for (const gradient of Object.values(gradients)) gradient.dispose();
        tape.dispose();
        return loss;
      });
      return await measureHost(engine, compiled);
    },
    close: () => engine.dispose(),
  };
}
