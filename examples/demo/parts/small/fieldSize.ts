/** How much is computed for a comparison's effective receptive fields. */
import { type Comparison, countStack } from "./stacks.js";

/** Of random weights. */
export const NETWORKS = 128;
/** Shown around the largest field. */
const RIM = 2;

/** Height and width of a comparison's maps: all of them are equally large. */
export const extentOf = ({ stacks }: Comparison): number =>
  Math.max(...stacks.map((stack) => countStack(stack, 1).receptiveField)) + 2 * RIM;
