/** What the property tests draw from: every layer is one that there is, and nothing that can be said is left out. */
import { dilatedExtent } from "webgpu-conv";
import { makeProblem, makeTransposedProblem } from "webgpu-conv/reference";
import { expect, test } from "vitest";
import { PADDING_MODES } from "../../src/problem/padding.js";
import { Random } from "../support/data.js";
import { type RandomLayer, randomLayer } from "../support/randomSpace.js";

/** As many as CI runs. */
const LAYERS = Array.from({ length: 200 }, (_, i) => randomLayer(new Random(i + 1)));

const problemOf = ({ transposed, rank, input, weight, options }: RandomLayer): ReturnType<typeof makeProblem> =>
  (transposed ? makeTransposedProblem : makeProblem)(rank, input, weight, options);

/** What must be among them, and in every rank. */
const KINDS: Readonly<Record<string, (layer: RandomLayer) => boolean>> = {
  transposed: ({ transposed }) => transposed,
  "not transposed": ({ transposed }) => !transposed,
  "in float16": ({ dtype }) => dtype === "float16",
  "channels last": ({ options }) => options.layout === "channels-last",
  "several images": ({ input }) => input[0] > 1,
  grouped: ({ options }) => (options.groups ?? 1) > 1,
  depthwise: (layer) => {
    const { groups, inChannelsPerGroup } = problemOf(layer);
    return groups > 1 && inChannelsPerGroup === 1;
  },
  "strided and dilated at once": (layer) => {
    const { stride, dilation } = problemOf(layer);
    return Math.max(...stride) > 1 && Math.max(...dilation) > 1;
  },
  "unlike padding on the two sides": (layer) => {
    const { padBegin, padEnd } = problemOf(layer);
    return Array.isArray(layer.options.padding) && padBegin.some((begin, axis) => begin !== padEnd[axis]);
  },
  "negative padding": (layer) =>
    [problemOf(layer)].some(({ padBegin, padEnd }) => Math.min(...padBegin, ...padEnd) < 0),
  "a filter larger than the input": (layer) => {
    const { input, kernel, dilation } = problemOf(layer);
    return !layer.transposed && kernel.some((extent, axis) => dilatedExtent(extent, dilation[axis]) > input[axis]);
  },
  ...Object.fromEntries(
    PADDING_MODES.map((mode) => [`padding mode ${mode}`, ({ options }) => options.paddingMode === mode]),
  ),
  ...Object.fromEntries(
    ["same", "same-lower", "valid"].map((form) => [`padding "${form}"`, ({ options }) => options.padding === form]),
  ),
  "padding as one number": ({ options }) => typeof options.padding === "number",
  "output padding": ({ options }) => options.outputPadding !== undefined,
  "an output size": ({ options }) => options.outputSize !== undefined,
};

test("every layer is valid", () => {
  for (const layer of LAYERS) expect(() => problemOf(layer), JSON.stringify(layer)).not.toThrow();
});

test.each(Object.entries(KINDS))("%s", (_, is) => {
  for (const rank of [1, 2, 3]) expect(LAYERS.filter((layer) => layer.rank === rank && is(layer))).not.toEqual([]);
});

test("every weight layout of every rank, transposed or not", () => {
  const names = LAYERS.map(({ transposed, options }) => `${String(transposed)} ${String(options.weightLayout)}`);
  expect(new Set(names).size).toBe(2 * 3 * 4);
});

test("a seed gives one layer, whatever was drawn before", () => {
  expect(randomLayer(new Random(17))).toEqual(LAYERS[16]);
});
