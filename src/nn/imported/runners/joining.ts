/** Runs what puts values side by side. */
import { concat } from "../../operations/concat.js";
import { reshape } from "../../operations/reshape.js";
import type { Runners } from "./runner.js";

export const RUNNERS = {
  concat({ parts, axis }, { value }) {
    if (parts.length > 1) return concat(parts.map(value), axis);
    const x = value(parts[0]);
    return reshape(x, x.shape);
  },
} satisfies Runners;
