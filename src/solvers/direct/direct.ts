/** Direct convolution: one thread a result element. Takes every forward pass and input gradient. */
import type { NoKnobs } from "../../planning/knobs.js";
import type { Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { directDispatch } from "./directDispatch.js";

export const direct: Solver<NoKnobs> = {
  name: "direct",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  knobs: {},
  configs: () => [{}],
  plan: (operation, capabilities) => ({
    dispatches: [directDispatch(operation, capabilities), ...borderDispatches(operation, capabilities)],
    scratchBytes: {},
  }),
};
