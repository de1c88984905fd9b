/**
 * Which part of each layer's tensor a part of the result needs, along one axis. Layers are walked backwards, from the result to
 * the source. What a layer computes is at least what the next one reads.
 */
import { dilatedExtent } from "./geometry.js";
import type { PaddingMode } from "./padding.js";

/** Positions from `begin` up to `end`, which is not among them. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

export const lengthOf = ({ begin, end }: Span): number => end - begin;

/** A layer along one axis. */
export interface LayerAxis {
  /** Positions of what it reads, and of its result. */
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding of the convolution; of the one behind it where the layer is transposed. */
  readonly pads: Pads;
  readonly transposed: boolean;
  readonly paddingMode: PaddingMode;
  /** Spans of the result begin at multiples of this, and end at them or at the result's end. */
  readonly align: number;
  /** Whether what it reads for a result depends on the multiple of `align` that the result is in, also beyond the result's end. */
  readonly inBlocks: boolean;
}

type Pads = readonly [begin: number, end: number];

export const alignDown = (value: number, unit: number): number => Math.floor(value / unit) * unit;
export const alignUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
const spanOfTaps = ({ kernel, dilation }: LayerAxis): number => dilatedExtent(kernel, dilation);

/** Layers that read the opposite side of their input need all of it. */
function needsAll({ paddingMode, pads, inBlocks, output, align }: LayerAxis): boolean {
  return paddingMode === "circular" && (pads.some((pad) => pad !== 0) || (inBlocks && output % align !== 0));
}

/** Blocks from which on lanes that broadcast weights are not idle (solvers/vectorTile): as in the whole. */
const FEWEST_BLOCKS = 5;

/** The span of a layer's result that is computed where this one is needed. */
function computed(layer: LayerAxis, { begin, end }: Span): Span {
  const { input, output, stride, align, pads, transposed, inBlocks } = layer;
  if (needsAll(layer)) return { begin: 0, end: output };
  const taps = spanOfTaps(layer);
  // A part that lies in the padding alone is extended until it meets the input.
  const [latest, earliest] = transposed
    ? [(input - 1) * stride + taps - 1 - pads[0], 1 - pads[0]]
    : [Math.floor((input - 1 + pads[0]) / stride), Math.ceil((1 + pads[0] - taps) / stride) + 1];
  const last = Math.min(output, alignUp(Math.max(end, earliest), align));
  // Of fewer results than a filter reaches, plans of transposed layers have other phases; few blocks are multiplied otherwise.
  const least = transposed ? taps + stride : inBlocks ? FEWEST_BLOCKS * align : 1;
  const first = Math.min(begin, latest, last - least);
  return { begin: Math.max(0, alignDown(first, align)), end: last };
}

/** The span of a layer's input that a span of its result needs. */
export function needed(layer: LayerAxis, { begin, end }: Span): Span {
  const { input, output, stride, pads, transposed, paddingMode, align, inBlocks } = layer;
  if (needsAll(layer) || (begin === 0 && end === output)) return { begin: 0, end: input };
  const taps = spanOfTaps(layer);
  const last = inBlocks ? alignUp(end, align) : end;
  if (transposed) {
    let first = Math.max(0, Math.ceil((begin + pads[0] - taps + 1) / stride));
    // The convolution behind it may crop no more than there is.
    while (first > 0 && pads[0] + begin - first * stride < 0) first--;
    return { begin: first, end: Math.min(input, Math.floor((last - 1 + pads[0]) / stride) + 1) };
  }
  const low = begin * stride - pads[0];
  const high = (last - 1) * stride + taps - pads[0];
  const [before, beyond] = mirrored(paddingMode, input, low, high);
  return { begin: clamp(Math.min(low, before), input - 1), end: clamp(Math.max(high, beyond), input) };
}

const clamp = (value: number, most: number): number => Math.max(0, Math.min(value, most));

/** What positions from `low` up to `high` read of the input where those beyond its edges are mirrored: the first, and the end. */
function mirrored(mode: PaddingMode, input: number, low: number, high: number): readonly [number, number] {
  if (mode !== "reflect" && mode !== "symmetric") return [low, high];
  const edge = mode === "reflect" ? 1 : 0;
  return [high > input ? 2 * input - high - edge : low, low < 0 ? edge - low : high];
}

/** Padding with which a layer gives a span of its result from a span of its input. */
export function padsFor(layer: LayerAxis, from: Span, to: Span): Pads {
  const { stride, pads, transposed, input, output } = layer;
  if (lengthOf(from) === input && lengthOf(to) === output) return pads;
  const taps = spanOfTaps(layer);
  const begin = transposed ? pads[0] + to.begin - from.begin * stride : pads[0] - to.begin * stride + from.begin;
  const [sources, results] = transposed ? [to, from] : [from, to];
  return [begin, (lengthOf(results) - 1) * stride + taps - lengthOf(sources) - begin];
}

/** Whether a convolution with such padding can be: it crops no more than there is. */
function isPossible(layer: LayerAxis, from: Span, to: Span): boolean {
  const cropped = lengthOf(layer.transposed ? to : from);
  return padsFor(layer, from, to).every((pad) => pad >= -cropped);
}

/** Whether each result reads the input at its own place alone. */
const isPointwise = ({ kernel, stride, pads, transposed }: LayerAxis): boolean =>
  kernel === 1 && stride === 1 && !transposed && pads.every((pad) => pad === 0);

export function leastCommonMultiple(a: number, b: number): number {
  let unit = a;
  while (unit % b !== 0) unit += a;
  return unit;
}

/** The layers with what pointwise ones ask of their spans asked of those before them, too. */
function withSharedUnits(layers: readonly LayerAxis[]): readonly LayerAxis[] {
  const shared: LayerAxis[] = [];
  let unit = 1;
  for (const layer of [...layers].reverse()) {
    const align = leastCommonMultiple(layer.align, unit);
    shared.unshift({ ...layer, align });
    unit = isPointwise(layer) ? align : 1;
  }
  return shared;
}

/** Multiples at which spans of the result should begin and end. */
export const unitOf = (layers: readonly LayerAxis[]): number => layers[layers.length - 1].align;

/** Spans of the source and of each layer's result, in their order, for a span of the last one. */
export function spansFor(given: readonly LayerAxis[], span: Span): readonly Span[] {
  const layers = withSharedUnits(given);
  const spans: Span[] = [];
  let wanted = span;
  for (const layer of [...layers].reverse()) {
    let to = computed(layer, wanted);
    let from = needed(layer, to);
    if (lengthOf(from) < 1 || !isPossible(layer, from, to)) {
      to = { begin: 0, end: layer.output };
      from = { begin: 0, end: layer.input };
    }
    spans.unshift(to);
    wanted = from;
  }
  spans.unshift(wanted);
  // Pointwise layers take all that there is: cropped, they would be other kernels' work.
  for (const [index, layer] of layers.entries()) if (isPointwise(layer)) spans[index + 1] = spans[index];
  return spans;
}

/** A part of the result along one axis, with what it needs of the source and of each layer. */
export interface AxisPart {
  readonly wanted: Span;
  /** Of the source, then of each layer's result. The last layer may compute more than is wanted. */
  readonly spans: readonly Span[];
  /** By layer. */
  readonly pads: readonly Pads[];
  /** Equal for parts for which all layers do the same. */
  readonly key: string;
}

export function partOf(layers: readonly LayerAxis[], wanted: Span): AxisPart {
  const spans = spansFor(layers, wanted);
  const pads = layers.map((layer, index) => padsFor(layer, spans[index], spans[index + 1]));
  return { wanted, spans, pads, key: [...spans.map(lengthOf), pads].join() };
}

/** The longest unit of tiles that is looked for. */
const LONGEST_UNIT = 256;

/**
 * Multiples at which parts of the result should begin: where every layer's spans then move on by whole units of theirs, all parts
 * within are of one shape. Where there is no such unit, it is the last layer's own.
 */
export function evenUnitOf(given: readonly LayerAxis[]): number {
  const layers = withSharedUnits(given);
  const least = unitOf(layers);
  for (let unit = least; unit <= LONGEST_UNIT; unit += least) if (isEven(layers, unit)) return unit;
  return least;
}

function isEven(layers: readonly LayerAxis[], unit: number): boolean {
  let step = unit;
  for (const { align, transposed, stride } of [...layers].reverse()) {
    if (step % align !== 0) return false;
    step = transposed ? step / stride : step * stride;
  }
  return Number.isInteger(step);
}
