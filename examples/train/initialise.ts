/** First values of a network whose layers have relu. */
import type { Engine } from "webgpu-conv";
import { heNormal, type Module, parametersOf, type Random } from "webgpu-conv/nn";

/** He's, which keep the deviation of what passes through layers with relu (He et al., 2015): learning begins at once. */
export async function initialise(network: Module, engine: Engine, random: Random): Promise<void> {
  for (const tensor of Object.values(parametersOf(network))) {
    if (tensor.shape.length > 1) await engine.write(tensor, heNormal(tensor.shape, random));
  }
}
