/** What lies beyond the input's edge, and how much of it. */
import { require, show } from "../base/errors.js";
import { requireWord } from "../base/spelling.js";

/**
 * Values beyond the input's edge, as PyTorch names them:
 * - "zeros";
 * - "reflect": mirrored about the edge element, which is not repeated (`c b | a b c d | c b`);
 * - "symmetric": mirrored about the edge itself, so that the edge element repeats (`b a | a b c d | d c`);
 * - "replicate": the edge element (`a a | a b c d | d d`);
 * - "circular": the opposite side (`c d | a b c d | a b`).
 */
export type PaddingMode = "zeros" | "reflect" | "symmetric" | "replicate" | "circular";

export const PADDING_MODES: readonly PaddingMode[] = ["zeros", "reflect", "symmetric", "replicate", "circular"];

export function readPaddingMode(mode: PaddingMode = "zeros"): PaddingMode {
  requireWord("paddingMode", mode, PADDING_MODES);
  return mode;
}

/** Throws where a mode would need elements that the input does not have. */
export function requirePaddable(mode: PaddingMode, input: number, pads: readonly number[], axis: string): void {
  const most = mode === "reflect" ? input - 1 : mode === "symmetric" || mode === "circular" ? input : Infinity;
  require(Math.max(...pads) <= most, () => {
    const rule = mode === "reflect" ? "less than" : "at most";
    return `padding ${show([...pads])} along ${axis} with paddingMode ${show(mode)}; expected ${rule} the input's extent, ${String(input)}`;
  });
}
