/** Whether a layer's settings fit, why not, and which nearest ones do. */
import { dilatedExtent, outputSize, type PaddingMode } from "webgpu-conv";
import { formatRounded } from "../../format.js";
import { LIMITS } from "./limits.js";
import { findUnseen, nameBehind } from "./seen.js";

export interface FitSettings {
  readonly W: number;
  readonly F: number;
  readonly S: number;
  readonly P: number;
  readonly D: number;
  readonly mode: PaddingMode;
}

/** Settings that a remedy may change, those that matter least to the layer first. */
const CHANGEABLE = ["P", "S", "F", "W", "D"] as const;
type Changeable = (typeof CHANGEABLE)[number];

/** A change of one setting, or two where one is not enough, after which the layer fits. */
export type Remedy = Readonly<Partial<Record<Changeable, number>>>;

export interface Fit {
  /** "uneven": it runs, but the window never reaches the last rows and columns of the input. */
  readonly kind: "fits" | "uneven" | "impossible";
  /** Why it does not fit; empty where it does. */
  readonly reason: string;
  /** The nearest that fit, nearest first. */
  readonly remedies: readonly Remedy[];
}

const REMEDIES_SHOWN = 3;

/** Positions of the padded input left over behind the last window. */
export const leftOver = ({ W, F, S, P, D }: Omit<FitSettings, "mode">): number => (W + 2 * P - dilatedExtent(F, D)) % S;

/** The most padding that a mode can fill from an input so wide. */
const mostPadding = ({ W, mode }: FitSettings): number =>
  mode === "reflect" ? W - 1 : mode === "symmetric" || mode === "circular" ? W : Infinity;

export function describeFit(settings: FitSettings): Fit {
  const { kind, reason } = judge(settings);
  return { kind, reason, remedies: kind === "fits" ? [] : findRemedies(settings) };
}

function judge(settings: FitSettings): Pick<Fit, "kind" | "reason"> {
  const { W, F, S, P, D, mode } = settings;
  const span = dilatedExtent(F, D);
  if (P > mostPadding(settings)) {
    const rule = mode === "reflect" ? "at most W - 1" : "at most W";
    const reason = `Padding ${String(P)} with mode "${mode}" would need more elements than the input has: ${rule} = ${String(mostPadding(settings))} can be filled.`;
    return { kind: "impossible", reason };
  }
  if (outputSize(W, { kernel: F, stride: S, dilation: D, padding: P }) < 1) {
    const spanned = D > 1 ? `The filter spans D(F − 1) + 1 = ${String(span)}` : `The filter spans F = ${String(span)}`;
    const reason = `${spanned} elements, but the padded input has only W + 2P = ${String(W + 2 * P)}: there is no place for the window.`;
    return { kind: "impossible", reason };
  }
  // What is left over of the padding is no loss: the usual layers of stride 2 are such.
  const { behind } = findUnseen(settings);
  if (behind.length > 0) {
    const exact = (W + 2 * P - span) / S + 1;
    const tiled = P > 0 ? "the padded input" : "the input";
    const reason = `The windows do not tile ${tiled}: the formula gives ${formatRounded(exact)}. The engine, as PyTorch, rounds down, and ${nameBehind(behind, W)} are never seen.`;
    return { kind: "uneven", reason };
  }
  return { kind: "fits", reason: "" };
}

function findRemedies(settings: FitSettings): Remedy[] {
  const distance = (remedy: Remedy): number =>
    CHANGEABLE.reduce((sum, name) => sum + Math.abs((remedy[name] ?? settings[name]) - settings[name]), 0);
  const nearestOf = (remedies: readonly Remedy[]): Remedy[] =>
    remedies
      .filter((remedy) => judge({ ...settings, ...remedy }).kind === "fits")
      .sort((one, other) => distance(one) - distance(other));
  const singles = CHANGEABLE.flatMap((name) => nearestOf(changesOf(name)).slice(0, 1));
  if (singles.length > 0) return nearestOf(singles).slice(0, REMEDIES_SHOWN);
  const pairs = CHANGEABLE.flatMap((name, i) => {
    const others = CHANGEABLE.slice(i + 1).flatMap(changesOf);
    return changesOf(name).flatMap((change) => others.map((other) => ({ ...change, ...other })));
  });
  return nearestOf(pairs).slice(0, 1);
}

function changesOf(name: Changeable): Remedy[] {
  const [least, most] = LIMITS[name];
  return Array.from({ length: most - least + 1 }, (_, i) => ({ [name]: least + i }));
}
