/** Direct convolution: one thread a result element. Takes every forward pass and input gradient. */
import type { Capabilities } from "../../planning/capabilities.js";
import type { NoKnobs } from "../../planning/knobs.js";
import type { BindingSource, Solver } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { finishSums } from "../passes/sumSplits.js";
import { describeGather } from "../shared/gather.js";
import { directDispatch } from "./directDispatch.js";

export const direct: Solver<NoKnobs> = {
  name: "direct",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  knobs: {},
  configs: () => [{}],
  plan(operation, capabilities) {
    const apart = capabilities.finishesApart === true ? finishApart(operation, capabilities) : undefined;
    return {
      dispatches: [
        directDispatch(operation, capabilities, undefined, apart),
        ...(apart?.reduction ?? borderDispatches(operation, capabilities)),
      ],
      scratchBytes: apart?.scratchBytes ?? {},
    };
  },
};

/** What changes where what is fused takes a dispatch of its own. No pass over a border has anything fused. */
function finishApart(operation: ConvOperation, capabilities: Capabilities) {
  const biasFirst = operation.residual && operation.activation.name === "prelu";
  const { bindings, ...rest } = finishSums(operation, describeGather(operation), 1, capabilities, biasFirst);
  const activated: BindingSource = operation.masked ? "activated" : "unused";
  return { ...rest, bindings: { ...bindings, activated } };
}
