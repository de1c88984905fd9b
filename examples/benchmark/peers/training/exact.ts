/** What the compared steps give in float64: the same layers, on an engine whose values are all float64. */
import { crossEntropy, sgd, Tape } from "webgpu-conv/nn";
import { makeFloat64Engine } from "../../../../test/support/nn/float64Engine.js";
import { COMPARED_STEPS, type Outcome } from "./agreement.js";
import { makeTensors, runner } from "./layers.js";
import type { Network } from "./networks.js";
import { startOf } from "./start.js";

export function exactOutcome(network: Network): Outcome {
  const exact = makeFloat64Engine();
  const { engine } = exact;
  const { input, layers, lr, momentum, compared } = network;
  const start = startOf(network);
  const { parameters, statistics } = makeTensors(network, start, (given, shape) => exact.tensor(given, shape));
  const optimizer = sgd(engine, parameters, { lr, momentum });
  const run = runner(engine, { ...parameters, ...statistics });
  const [x, labels] = [exact.tensor(start.x, input), exact.tensor(start.labels, [input[0]])];
  const losses: number[] = [];
  for (let step = 0; step < COMPARED_STEPS; step++) {
    const tape = new Tape(engine);
    const loss = tape.run(() => crossEntropy(run(layers, x), labels));
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
