/** How often something is timed: an odd number, of which the median is a round of its own. */
import { integer } from "./schema.js";

export const ROUNDS_RANGE = [3, 31] as const;

export const roundsSetting = integer(7, ROUNDS_RANGE);
