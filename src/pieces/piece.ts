/** A piece of an operation: the operation that it is, and which parts of the whole's tensors it reads and writes. */
import { lengthOf, type Span } from "../problem/axis.js";
import { BYTES_PER_ELEMENT } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { joinActivation, joinWeight } from "../problem/layout.js";
import { type ConvOperation, operandRoles, resultRoles, type TensorRole } from "../problem/operation.js";
import { partProblem } from "../problem/part.js";
import { BYTES_PER_PIXEL } from "../problem/pixels.js";
import type { Piece, Region } from "../planning/pieces.js";
import type { Ranges } from "./ranges.js";

export const regionBytes = ({ shape, elementBytes }: Region): number => elementBytes * product(shape);

/** @throws ArgumentError where there is no such convolution: an edge would be mirrored that the piece does not have. */
export function makePiece(whole: ConvOperation, ranges: Ranges): Piece {
  const { problem } = whole;
  const { rank } = problem;
  const own = [ranges.depth, ranges.height, ranges.width].slice(3 - rank);
  const gathersFromOutput = whole.direction === "inputGradient";
  const inputs = own.map(({ spans: [source, result] }) => (gathersFromOutput ? result : source));
  const counts = {
    batch: lengthOf(ranges.samples.wanted),
    groups: lengthOf(ranges.groups.wanted),
    inChannelsPerGroup: lengthOf(ranges["input channels"].wanted),
    outChannelsPerGroup: lengthOf(ranges["output channels"].wanted),
  };
  const part = partProblem(
    problem,
    inputs.map(lengthOf),
    own.map(({ pads: [pads] }) => pads),
    counts,
  );
  const operands = operandRoles(whole).map((role) => [role, spansOf(whole, role, ranges, computed)] as const);
  const results = resultRoles(whole).map((role) => {
    const made = spansOf(whole, role, ranges, computed);
    const wanted = spansOf(whole, role, ranges, (range) => range.wanted);
    const from = {
      ...wanted,
      whole: made.shape,
      begin: wanted.begin.map((begin, i) => begin - made.begin[i]),
    };
    return [role, { from, to: wanted }] as const;
  });
  const { activation } = whole;
  const slopes = activation.name === "prelu" && activation.slopes > 1;
  const channels = gathersFromOutput ? part.inChannels : part.outChannels;
  return {
    operation: {
      ...whole,
      problem: part,
      ...(slopes && { activation: { ...activation, slopes: channels } }),
    },
    operands: new Map(operands),
    results: new Map(results),
  };
}

type SpanOf = (range: Ranges[keyof Ranges]) => Span;
const computed: SpanOf = ({ spans }) => spans[1];

/** Where a tensor's part lies. `ofResult` gives spans of the result. */
function spansOf(operation: ConvOperation, role: TensorRole, ranges: Ranges, ofResult: SpanOf): Region {
  const { problem, dtype, pixels, activation, direction } = operation;
  const { rank, layout, weightOrder, weightPositionStride, groups } = problem;
  const own = [ranges.depth, ranges.height, ranges.width].slice(3 - rank);
  const source = own.map(({ spans }) => spans[0]);
  const result = own.map(ofResult);
  const [input, output] = direction === "inputGradient" ? [result, source] : [source, result];
  const triple = <Value>(values: readonly Value[]): readonly Value[] => values.slice(3 - rank);
  const [out, inputs] = [ranges["output channels"].wanted, ranges["input channels"].wanted];
  const inChannels = channelsOf(ranges.groups.wanted, problem.inChannelsPerGroup, inputs);
  const outChannels = channelsOf(ranges.groups.wanted, problem.outChannelsPerGroup, out);
  const region = (whole: readonly number[], spans: readonly Span[], elementBytes: number): Region => ({
    whole,
    begin: spans.map(({ begin }) => begin),
    shape: spans.map(lengthOf),
    elementBytes,
  });
  const bytes = BYTES_PER_ELEMENT[dtype];
  const batch = ranges.samples.wanted;
  const activations = (channels: number, extents: readonly number[], one: Span, spans: readonly Span[]): Region => {
    const whole = joinActivation({ batch: problem.batch, channels, spatial: extents }, layout);
    // Spans are put in order as extents are.
    const order = joinActivation({ batch: 0, channels: 1, spatial: spans.map((_, i) => i + 2) }, layout);
    const all = [batch, one, ...spans];
    return region(
      whole,
      order.map((i) => all[i]),
      bytes,
    );
  };
  const ofInput = (): Region => activations(problem.inChannels, triple(problem.input), inChannels, input);
  const ofOutput = (): Region => activations(problem.outChannels, triple(problem.output), outChannels, output);
  const [count, channels] =
    direction === "inputGradient" ? [problem.inChannels, inChannels] : [problem.outChannels, outChannels];
  switch (role) {
    case "x":
      if (pixels) return region([problem.batch, ...triple(problem.input)], [batch, ...input], BYTES_PER_PIXEL);
      return ofInput();
    case "y":
    case "activated":
      return ofOutput();
    case "residual":
      return direction === "inputGradient" ? ofInput() : ofOutput();
    case "w": {
      const kernel = triple(problem.kernel);
      const shape = { out: problem.outChannels, in: problem.inChannelsPerGroup, spatial: kernel };
      const order = joinWeight({ out: 0, in: 1, spatial: kernel.map((_, i) => i + 2) }, weightOrder);
      const all = [outChannels, groups === 1 ? inChannels : inputs, ...kernel.map((end) => ({ begin: 0, end }))];
      const spans = order.map((i) => all[i]);
      if (weightPositionStride === 0) return region(joinWeight(shape, weightOrder), spans, bytes);
      return region([...triple(problem.output), ...joinWeight(shape, weightOrder)], [...output, ...spans], bytes);
    }
    case "bias":
      return region([count], [channels], bytes);
    case "slopes":
      if (activation.name === "prelu" && activation.slopes > 1) return region([count], [channels], bytes);
      return region([1], [{ begin: 0, end: 1 }], bytes);
  }
}

/** Channels of some groups, or of a part of one. */
const channelsOf = (groups: Span, perGroup: number, of: Span): Span => ({
  begin: groups.begin * perGroup + of.begin,
  end: (groups.end - 1) * perGroup + of.end,
});
