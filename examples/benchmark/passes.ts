/** The passes that are timed, and the engine's operation for each. */
export const PASSES = ["forward", "inputGradient", "weightGradient"] as const;
export type Pass = (typeof PASSES)[number];

export const OPERATIONS = {
  forward: "conv2d",
  inputGradient: "conv2dInputGradient",
  weightGradient: "conv2dWeightGradient",
} as const;
