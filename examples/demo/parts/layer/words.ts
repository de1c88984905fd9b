/** What the views show, in words. Each sentence holds for the layer that is shown. */
import { formatAtMost, plural } from "../../format.js";
import { leftOver } from "./fit.js";
import type { View } from "./limits.js";
import type { Layer } from "./numbers.js";
import type { Check } from "./scene.js";
import { folds, type Sides, sidesOfDy, sidesOfX } from "./sides.js";

/** What the words depend on. */
export type Extents = Omit<Layer, "x" | "w" | "b" | "dy">;

const rowsAndColumns = (count: number): string =>
  count === 1 ? "one row and column" : `${String(count)} rows and columns`;

export function wordsFor(layer: Extents, view: View): string {
  return { forward: forwardWords, dx: inputGradientWords, dw: weightGradientWords }[view](layer);
}

function forwardWords({ F, S, P, D, C, K }: Extents): string {
  const taps = D > 1 && F > 1 ? `, its taps ${String(D)} apart,` : "";
  const filter = K > 1 ? "Each filter" : "The filter";
  const slices = C > 1 ? ", slice by slice" : "";
  const weights = F * F * C === 1 ? "weight is" : "weights are";
  const products = F * F * C === 1 ? "the product is" : "all products are";
  return `${filter}${taps} slides over the ${P > 0 ? "padded " : ""}input, ${String(S)} at a time. Where it stands, its ${weights} multiplied with what lies below${slices}, and ${products} added to its bias: one number of the output.`;
}

/** Zeros that stand on a side, or what is cut off there. */
function sideWords(count: number, where: string): string {
  if (count < 0) return `${rowsAndColumns(-count)} less ${where}`;
  return `${count === 0 ? "no zeros" : plural(count, "zero")} ${where}`;
}

/** What surrounds dy, or what it loses. */
function aroundWords(sides: Sides, rest: number, formula: string): string {
  const { begin, end } = sides;
  const why = `${formula} = ${String(begin).replace("-", "−")}`;
  if (rest > 0) {
    const first = sideWords(begin, "above and left");
    const last = sideWords(end, "below and right");
    return `around them ${first} (${why}) and ${last}, where the windows left ${rowsAndColumns(rest)} over`;
  }
  if (begin > 0) return `around them ${plural(begin, "zero")} on each side (${why})`;
  if (begin === 0) return `nothing around them (${why})`;
  return `the outermost ${rowsAndColumns(-begin)} on each side, which met padding alone, cut off (${why})`;
}

function inputGradientWords(layer: Extents): string {
  const { S, K, O } = layer;
  const filters = K > 1 ? "filters, each flipped" : "filter, flipped";
  const between =
    O === 1
      ? "dy has one element a slice"
      : S > 1
        ? `Between the elements of dy stand S − 1 = ${plural(S - 1, "zero")}, for the stride`
        : "The elements of dy stand as they are";
  const formula = folds(layer) ? "D(F − 1)" : "D(F − 1) − P";
  const around = aroundWords(sidesOfDy(layer), leftOver(layer), formula);
  const input = folds(layer) ? "padded input" : "input";
  const roles =
    K > 1
      ? `the c-th slices of all filters make the gradient of the ${input}'s slice c`
      : `the filter's slice c makes the gradient of the ${input}'s slice c`;
  return `The gradient of the ${input} is a convolution of dy with the same ${filters}: turned by half a turn. ${between}, and ${around}. The window moves one by one. Filters and slices change roles: ${roles}.`;
}

function weightGradientWords(layer: Extents): string {
  const { F, S, P, D, O } = layer;
  const rest = leftOver(layer);
  const left = rest > 0 ? `, less the last ${rowsAndColumns(rest)}, which no window reached` : "";
  const taps = O > 1 ? `its taps stand S = ${String(S)} apart` : "it has one tap a slice";
  const moves = F > 1 ? `it moves D = ${String(D)} at a time` : "it has one place to stand at";
  return `The gradient of the weights is a convolution too: dy is the filter, and slides over the ${P > 0 ? "padded " : ""}input${left}. Stride and dilation change roles: ${taps}, and ${moves}. Here it is written as the correlation that "convolution" means in deep learning; as the convolution of mathematics, which turns its filter, it is one with dy flipped.`;
}

/** How far the input reaches in a view, after its size. */
function paddedWords({ begin, end }: Sides): string {
  if (begin === end) return begin > 0 ? `, padded by ${String(begin)}` : "";
  const first = begin > 0 ? `, padded by ${String(begin)}` : "";
  return `${first}, at the end ${end < 0 ? "cut" : "padded"} by ${String(Math.abs(end))}`;
}

/** Titles of the three volumes. */
export function headsOf(layer: Extents, view: View): readonly [source: string, filters: string, result: string] {
  const { W, C, F, S, K, P, O } = layer;
  const size = (extent: number, depth: number): string => `${String(extent)} × ${String(extent)} × ${String(depth)}`;
  const input = (sides: Sides): string => `Input x, ${size(W, C)}${paddedWords(sides)}`;
  const each = K > 1 ? " each" : "";
  const filter = K > 1 ? "Filters" : "Filter";
  if (view === "dx") {
    const dy = `dy, ${size(O, K)}${S > 1 && O > 1 ? ", spread" : ""}`;
    return [dy, `${filter}, flipped`, `Gradient of the ${folds(layer) ? "padded input" : "input"}`];
  }
  if (view === "dw") {
    return [
      input(sidesOfX(layer)),
      `dy as filter${K > 1 ? "s" : ""}, ${size(O, K)}`,
      `Gradient dw, ${size(F, C)}${each}`,
    ];
  }
  return [input({ begin: P, end: P }), `${filter}, ${size(F, C)}${each}`, `Output y, ${size(O, K)}`];
}

/** How a gradient that was put together on the stage compares with the engine's own. */
export function describeCheck({ call, values, equal, largest }: Check): string {
  if (equal === values) {
    return values === 1
      ? `The number of this convolution is that of ${call}.`
      : `All ${String(values)} numbers of this convolution are those of ${call}.`;
  }
  const differ = values - equal === 1 ? "differs" : "differ";
  return `${String(values - equal)} of ${plural(values, "number")} ${differ} from ${call}, by at most ${formatAtMost(largest)}: fractions are rounded in another order.`;
}
