/** Spans of a stack's layers along one axis: they hold all that results read, and layers with their padding give them. */
import { describe, expect, test } from "vitest";
import { type LayerAxis, lengthOf, partOf, spansFor } from "../../../src/problem/axis.js";
import { Random } from "../../support/data.js";

const ALIGNS = [1, 1, 1, 2, 4];
const MODES = ["zeros", "zeros", "reflect", "symmetric", "replicate", "circular"] as const;

const tapsOf = ({ kernel, dilation }: LayerAxis): number => (kernel - 1) * dilation + 1;

/** A layer that such an input has a result of. */
function randomLayer(random: Random, input: number): LayerAxis {
  for (;;) {
    const transposed = random.integer(1, 4) === 1;
    const paddingMode = transposed ? "zeros" : random.pick(MODES);
    const [kernel, stride, dilation] = [random.integer(1, 5), random.pick([1, 1, 2, 3]), random.pick([1, 1, 2, 3])];
    const limit = paddingMode === "zeros" || paddingMode === "replicate" ? 12 : input - 1;
    const pads = [0, 1].map(() => Math.min(limit, random.integer(-1, 6))) as [number, number];
    if (transposed || paddingMode !== "zeros") pads.forEach((pad, i) => (pads[i] = Math.max(0, pad)));
    const inBlocks = random.integer(1, 4) === 1 && stride === 1;
    const align = transposed ? stride : random.pick(ALIGNS);
    const layer = { input, output: 0, kernel, stride, dilation, pads, transposed, paddingMode, align, inBlocks };
    const padded = pads[0] + pads[1];
    const room = input + padded - tapsOf(layer);
    const output = transposed ? (input - 1) * stride + tapsOf(layer) - padded : Math.floor(room / stride) + 1;
    if (output >= 1 && output < 300) return { ...layer, output };
  }
}

function randomStack(random: Random): readonly LayerAxis[] {
  const layers: LayerAxis[] = [];
  let extent = random.integer(3, 60);
  for (let i = random.integer(1, 4); i > 0; i--) {
    const layer = randomLayer(random, extent);
    layers.push(layer);
    extent = layer.output;
  }
  return layers;
}

/** The positions of the input that a result reads, where it has elements; and what they are of, beyond its edges. */
function readsOf(layer: LayerAxis, result: number): readonly number[] {
  const { input, kernel, stride, dilation, pads, transposed, paddingMode } = layer;
  const taps = Array.from({ length: kernel }, (_, k) => k * dilation);
  const positions = transposed
    ? taps.map((tap) => (result + pads[0] - tap) / stride).filter(Number.isInteger)
    : taps.map((tap) => result * stride + tap - pads[0]);
  const mapped = positions.map((at) => {
    if (at >= 0 && at < input) return at;
    if (paddingMode === "reflect") return at < 0 ? -at : 2 * input - 2 - at;
    if (paddingMode === "symmetric") return at < 0 ? -at - 1 : 2 * input - 1 - at;
    if (paddingMode === "replicate") return at < 0 ? 0 : input - 1;
    return paddingMode === "circular" ? (at + input) % input : -1;
  });
  return mapped.filter((at) => at >= 0 && at < input);
}

describe("spans", () => {
  test.each(Array.from({ length: 20 }, (_, i) => i + 1))("of random stacks, seed %i", (seed) => {
    const random = new Random(seed);
    for (let i = 0; i < 100; i++) {
      const layers = randomStack(random);
      const [{ output }] = layers.slice(-1);
      const begin = random.integer(0, output - 1);
      const wanted = { begin, end: random.integer(begin + 1, output) };
      const { spans, pads } = partOf(layers, wanted);
      const text = JSON.stringify({ layers, wanted, spans, pads });
      const last = spans[layers.length];
      expect(last.begin <= wanted.begin && last.end >= wanted.end, text).toBe(true);
      for (const [index, layer] of layers.entries()) {
        const [from, to] = [spans[index], spans[index + 1]];
        expect(from.begin >= 0 && from.end <= layer.input && lengthOf(from) >= 1, text).toBe(true);
        expect(to.begin >= 0 && to.end <= layer.output && lengthOf(to) >= 1, text).toBe(true);
        expect(to.begin % layer.align, text).toBe(0);
        expect(to.end === layer.output || to.end % layer.align === 0, text).toBe(true);
        for (let result = to.begin; result < to.end; result++) {
          for (const at of readsOf(layer, result)) expect(at >= from.begin && at < from.end, text).toBe(true);
        }
        const [sources, results] = layer.transposed ? [to, from] : [from, to];
        const room = lengthOf(sources) + pads[index][0] + pads[index][1] - tapsOf(layer);
        expect(Math.floor(room / layer.stride) + 1, text).toBe(lengthOf(results));
        expect(
          pads[index].every((pad) => pad >= -lengthOf(sources)),
          text,
        ).toBe(true);
      }
    }
  });

  test("of the whole are whole, with the layers' own padding", () => {
    const random = new Random(21);
    for (let i = 0; i < 200; i++) {
      const layers = randomStack(random);
      const [{ output }] = layers.slice(-1);
      const { spans, pads } = partOf(layers, { begin: 0, end: output });
      expect(spans).toEqual([
        { begin: 0, end: layers[0].input },
        ...layers.map((layer) => ({ begin: 0, end: layer.output })),
      ]);
      expect(pads).toEqual(layers.map((layer) => layer.pads));
    }
  });

  test("two 3x3 layers read two positions more on each side, and none beyond an edge", () => {
    const layer: LayerAxis = {
      input: 100,
      output: 100,
      kernel: 3,
      stride: 1,
      dilation: 1,
      pads: [1, 1],
      transposed: false,
      paddingMode: "zeros",
      align: 1,
      inBlocks: false,
    };
    const sourceOf = (begin: number, end: number) => spansFor([layer, layer], { begin, end })[0];
    expect(sourceOf(40, 50)).toEqual({ begin: 38, end: 52 });
    expect(sourceOf(0, 10)).toEqual({ begin: 0, end: 12 });
    expect(sourceOf(90, 100)).toEqual({ begin: 88, end: 100 });
  });
});
