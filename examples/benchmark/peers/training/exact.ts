/** What the compared steps give in float64: the same layers, on an engine whose values are all float64. */
import { Tape } from "webgpu-conv/nn";
import { makeFloat64Engine } from "../../../../test/support/nn/float64Engine.js";
import { COMPARED_STEPS, type Outcome } from "./agreement.js";
import { lossOf, makeTensors, optimizerOf, runner } from "./layers.js";
import type { Network } from "./networks.js";
import { startOf } from "./start.js";

export function exactOutcome(network: Network): Outcome {
  const exact = makeFloat64Engine();
  const { engine } = exact;
  const { input, layers, compared } = network;
  const start = startOf(network);
  const { parameters, statistics } = makeTensors(network, start, (given, shape) => exact.tensor(given, shape));
  const optimizer = optimizerOf(engine, parameters, network);
  const run = runner(engine, { ...parameters, ...statistics });
  const [x, target] = [exact.tensor(start.x, input), exact.tensor(start.target, start.targetShape)];
  const losses: number[] = [];
  for (let step = 0; step < COMPARED_STEPS; step++) {
    const tape = new Tape(engine);
    const loss = tape.run(() => lossOf(network, run(layers, x), target));
    optimizer.step(tape.gradients(loss, parameters));
    losses.push(exact.values(loss)[0]);
    tape.dispose();
  }
  const changes = compared.map((name) => {
    const before = start.parameters.get(name)?.values ?? [];
    return [name, Array.from(exact.values(parameters[name]), (value, i) => value - before[i])] as const;
  });
  engine.dispose();
  return { losses, changes: Object.fromEntries(changes) };
}
