/** Gradients become the caller's, each alone. */
import { Context } from "../../api/context.js";
import type { EngineCore } from "../../api/engineCore.js";
import { memoryOf, type TensorStorage } from "../../backend/backend.js";
import type { Tensor } from "../../tensor/tensor.js";
import { overlap } from "../core/operation.js";
import { sumOfTwo } from "../operations/elementwise.js";
import { fullLike } from "../operations/fill.js";
import type { Gradient } from "./step.js";

/**
 * A tensor for each parameter, without common elements with larger or smaller ones: who changes one in place would change a part of the
 * other. Zeros where nothing flows.
 *
 * @param upstream the caller's own, which may be among them
 */
export function ownGradients(
  core: EngineCore,
  gradients: readonly Gradient[],
  parameters: readonly Tensor[],
  upstream: Gradient,
): Tensor[] {
  const given = new Set<Gradient>([upstream]);
  const storages = new Map<TensorStorage, TensorStorage[]>();
  /** Whether it has some of the elements of another, which is larger or smaller. Notes it. */
  const isPart = (gradient: Tensor): boolean => {
    const storage = gradient.storage(core, "a gradient");
    const others = storages.get(memoryOf(storage)) ?? [];
    storages.set(memoryOf(storage), [...others, storage]);
    return others.some((other) => other.size !== storage.size && overlap(other, storage));
  };
  if (upstream) isPart(upstream);
  return gradients.map((gradient, i) => {
    if (!gradient) return fullLike(parameters[i], 0);
    const isTaken = given.has(gradient);
    given.add(gradient);
    if (isTaken) return new Context(core).view(gradient, gradient.shape);
    if (!isPart(gradient)) return gradient;
    // A sum with -0 has the same bits.
    using nothing = fullLike(gradient, -0);
    return sumOfTwo(gradient, nothing);
  });
}
