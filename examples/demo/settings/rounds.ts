/** How often something is timed: an odd number, of which the median is a round of its own. */
import { integer } from "./schema.js";

export const ROUNDS_RANGE = [3, 31] as const;

const whole = integer(7, ROUNDS_RANGE);

export const roundsSetting: typeof whole = {
  ...whole,
  parse: (text) => {
    const rounds = whole.parse(text);
    return rounds - 1 + (rounds % 2);
  },
};
