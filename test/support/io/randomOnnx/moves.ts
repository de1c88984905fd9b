/** Random operators that move values: shapes, parts, padding and resizing. */
import type { Random } from "../../data.js";
import type { AttributeValue, TensorSpec } from "../onnxFile.js";
import {
  constant,
  count,
  type Generator,
  integers,
  list,
  type Made,
  positions,
  real,
  UNIT,
  type Value,
} from "./value.js";

const moved = ({ most, error }: Value, shape: readonly number[]): Made["results"] => [{ shape, most, error }];
const replaced = (shape: readonly number[], axis: number, extent: number): number[] =>
  shape.map((own, at) => (at === axis ? extent : own));

/** Axes are named from either end. */
const named = (random: Random, axis: number, rank: number, opset: number): number =>
  opset >= 11 && random.next() < 0.4 ? axis - rank : axis;

const slice: Generator = (random, x, opset) => {
  const axes = list(x.shape.length, (axis) => axis).filter((axis) => axis > 0 && random.next() < 0.5);
  if (axes.length === 0) return undefined;
  const bounds = axes.map((axis) => {
    const start = random.integer(0, x.shape[axis] - 1);
    return [start, random.integer(start + 1, x.shape[axis])] as const;
  });
  if (opset >= 10 && random.next() < 0.4) return steppedSlice(random, x, axes, bounds);
  const shape = axes.reduce((own, axis, i) => replaced(own, axis, bounds[i][1] - bounds[i][0]), [...x.shape]);
  const starts = bounds.map(([start], i) => (random.next() < 0.3 ? start - x.shape[axes[i]] : start));
  const ends = bounds.map(([, end], i) => {
    const isLast = end === x.shape[axes[i]];
    return isLast ? random.pick([end, 1000, 2 ** 31 - 1]) : random.next() < 0.3 ? end - x.shape[axes[i]] : end;
  });
  const names = axes.map((axis) => named(random, axis, x.shape.length, opset));
  const lists = [starts, ends, names] as const;
  if (opset < 10) return { op: "Slice", attributes: { starts, ends, axes: names }, results: moved(x, shape) };
  const steps = random.next() < 0.3 ? [axes.map(() => 1)] : [];
  return { op: "Slice", constants: [...lists, ...steps].map((each) => integers(...each)), results: moved(x, shape) };
};

/** Backwards it begins at the last one, and its end is the one before the first, or anything before all. */
function steppedSlice(
  random: Random,
  x: Value,
  axes: readonly number[],
  bounds: readonly (readonly [number, number])[],
): Made {
  const steps = axes.map(() => random.pick([1, 2, 3, -1, -2, -5]));
  const ranges = bounds.map(([start, end], i) => {
    if (steps[i] > 0) return [start, random.pick(end === x.shape[axes[i]] ? [end, 1000] : [end])];
    return [end - 1, start > 0 ? start - 1 : random.pick([-x.shape[axes[i]] - 1, -1000, -(2 ** 31)])];
  });
  const shape = axes.reduce(
    (own, axis, i) => replaced(own, axis, Math.ceil((bounds[i][1] - bounds[i][0]) / Math.abs(steps[i]))),
    [...x.shape],
  );
  const lists = [ranges.map(([start]) => start), ranges.map(([, end]) => end), axes, steps];
  return { op: "Slice", constants: lists.map((each) => integers(...each)), results: moved(x, shape) };
}

const split: Generator = (random, x, opset) => {
  const axis = random.integer(1, x.shape.length - 1);
  const extent = x.shape[axis];
  if (extent < 2) return undefined;
  const first = random.integer(1, extent - 1);
  const isEqual = extent % 2 === 0 && random.next() < 0.5;
  const extents = isEqual ? [extent / 2, extent / 2] : [first, extent - first];
  const results = extents.flatMap((part) => moved(x, replaced(x.shape, axis, part)));
  const attributes: Record<string, AttributeValue> = { axis: named(random, axis, x.shape.length, opset) };
  if (isEqual) return { op: "Split", attributes: { ...attributes, ...(opset >= 18 && { num_outputs: 2 }) }, results };
  if (opset < 13) return { op: "Split", attributes: { ...attributes, split: extents }, results };
  return { op: "Split", attributes, constants: [integers(...extents)], results };
};

const pad: Generator = (random, x, opset) => {
  const mode = random.pick(["constant", "constant", "edge", "reflect", ...(opset >= 19 ? ["wrap"] : [])]);
  const most = (extent: number): number => (mode === "reflect" || mode === "wrap" ? extent - 1 : 2);
  // Samples and channels less often.
  const hasOthers = x.shape.length < 3 || random.next() < 0.3;
  const amounts = x.shape.map((extent, axis) => {
    const largest = axis < 2 && !hasOthers ? 0 : Math.min(most(extent), 2);
    return [random.integer(0, largest), random.integer(0, largest)] as const;
  });
  const pads = [...amounts.map(([before]) => before), ...amounts.map(([, behind]) => behind)];
  const shape = x.shape.map((extent, axis) => extent + pads[axis] + pads[x.shape.length + axis]);
  const value = random.next() < 0.5 && mode === "constant" ? real(random) : undefined;
  const result = { shape, most: Math.max(x.most, 1), error: x.error };
  const attributes = random.next() < 0.8 || mode !== "constant" ? { mode } : {};
  if (opset < 11) {
    const given = { ...attributes, pads, ...(value !== undefined && { value: { float: value } }) };
    return { op: "Pad", attributes: given, results: [result] };
  }
  const values: TensorSpec[] = value === undefined ? [] : [{ shape: [], data: [value] }];
  if (opset >= 18 && random.next() < 0.5) {
    // Positions alone where nothing else is padded, the last one first.
    const axes = x.shape.map((_, i) => x.shape.length - 1 - i).slice(0, hasOthers ? undefined : -2);
    const sides = integers(...axes.map((axis) => pads[axis]), ...axes.map((axis) => pads[x.shape.length + axis]));
    return { op: "Pad", attributes, constants: [sides, values[0], integers(...axes)], results: [result] };
  }
  return { op: "Pad", attributes, constants: [integers(...pads), ...values], results: [result] };
};

/** Exact in float32 as they stand. */
const SCALES = [0.5, 0.75, 1, 1.25, 1.5, 2, 3] as const;
const resize: Generator = (random, x, opset) => {
  if (opset < 10 || x.shape.length < 3) return undefined;
  const rank = x.shape.length - 2;
  const mode = random.pick(["nearest", "linear"]);
  const scales = list(rank, () => random.pick(SCALES));
  const extents = positions(x).map((extent, i) => Math.floor(extent * scales[i]));
  if (extents.includes(0)) return undefined;
  // ONNX Runtime copies what keeps its extents, whatever the scales, against the specification.
  const isKept = extents.every((extent, i) => extent === x.shape[2 + i]);
  if (isKept && scales.some((scale) => scale !== 1)) return undefined;
  // Rounded in two ways at once.
  if (opset === 10 && scales.some((scale) => scale < 1) && scales.some((scale) => scale > 1)) return undefined;
  // As extents the ratios are no powers of two, where float32 positions may lie on the other side of a border between neighbours.
  const hasExtents =
    opset >= 11 && random.next() < 0.4 && extents.every((extent, i) => extent === x.shape[2 + i] * scales[i]);
  const shape = [...x.shape.slice(0, 2), ...extents];
  const factors = constant([rank + 2], (i) => (i < 2 ? 1 : scales[i - 2]));
  // Positions are of a few roundings, and so are weights.
  const error = x.error + rank * 16 * Math.max(...x.shape, ...extents) * UNIT * x.most;
  const named = opset >= 18 && random.next() < 0.5 ? extents.map((_, i) => 2 + rank - 1 - i) : undefined;
  const results = [{ shape, most: x.most, error: mode === "nearest" ? x.error : error }];
  if (opset < 11) return { op: "Resize", attributes: { mode }, constants: [factors], results };
  const coordinates = random.pick(["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]);
  const nearest = random.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]);
  // Corners on corners have ratios of whole numbers: see above.
  if (mode === "nearest" && coordinates === "align_corners") return undefined;
  const none: TensorSpec = { shape: [0], data: [] };
  return {
    op: "Resize",
    attributes: {
      mode,
      ...(coordinates !== "half_pixel" && { coordinate_transformation_mode: coordinates }),
      ...(mode === "nearest" && { nearest_mode: nearest }),
      ...(named && { axes: named }),
    },
    constants: hasExtents
      ? [
          opset < 13 ? none : undefined,
          opset < 13 ? none : undefined,
          integers(...(named ? named.map((axis) => shape[axis]) : shape)),
        ]
      : [opset < 13 ? none : undefined, named ? constant([rank], (i) => scales[named[i] - 2]) : factors],
    results,
  };
};

/** By one scale, that of one axis; sizes of the others allow more, or less. */
const resizeByAspect: Generator = (random, x, opset) => {
  if (opset < 18 || x.shape.length < 3) return undefined;
  const rank = x.shape.length - 2;
  const scale = random.pick(SCALES.filter((each) => each !== 1));
  const isLargest = random.next() < 0.5;
  const first = random.integer(0, rank - 1);
  const exact = positions(x).map((extent) => extent * scale);
  // What is rounded up is refused.
  if (exact[first] % 1 !== 0 || exact.some((extent) => Math.round(extent) > Math.floor(extent) || extent < 1))
    return undefined;
  const beyond = (extent: number): number => Math.max(1, isLargest ? Math.ceil(extent) + 1 : Math.floor(extent) - 1);
  const sizes = exact.map((extent, i) => (i === first ? extent : beyond(extent)));
  // What is at least 1 may be more than the scale makes.
  if (!isLargest && sizes.some((size, i) => size > exact[i])) return undefined;
  const extents = exact.map((extent) => Math.floor(extent));
  if (extents.every((extent, i) => extent === x.shape[2 + i])) return undefined;
  return {
    op: "Resize",
    attributes: {
      mode: "linear",
      keep_aspect_ratio_policy: isLargest ? "not_larger" : "not_smaller",
      axes: list(rank, (axis) => 2 + axis),
    },
    constants: [undefined, undefined, integers(...sizes)],
    results: [
      {
        shape: [...x.shape.slice(0, 2), ...extents],
        most: x.most,
        error: x.error + rank * 16 * Math.max(...x.shape, ...extents) * UNIT * x.most,
      },
    ],
  };
};

const depthToSpace: Generator = (random, x, opset) => {
  if (x.shape.length !== 4 || x.shape[1] % 4 !== 0) return undefined;
  const [samples, channels, rows, columns] = x.shape;
  const mode = random.pick(["DCR", "CRD", ""]);
  const attributes = { blocksize: 2, ...(mode !== "" && opset >= 11 && { mode }) };
  return { op: "DepthToSpace", attributes, results: moved(x, [samples, channels / 4, 2 * rows, 2 * columns]) };
};

const reduceMean: Generator = (random, x, opset) => {
  const rank = x.shape.length;
  const isOfPositions = rank > 2 && random.next() < 0.4;
  const over = list(rank, (axis) => axis).filter((axis) => (isOfPositions ? axis > 1 : random.next() < 0.5));
  // Two axes are left, of which others make something.
  const keeps = rank - over.length < 2 || random.next() < 0.6;
  // Without any it is over all.
  const isOver = (axis: number): boolean => over.length === 0 || over.includes(axis);
  const shape = x.shape.flatMap((extent, axis) => (!isOver(axis) ? [extent] : keeps || over.length === 0 ? [1] : []));
  const terms = count(x.shape.filter((_, axis) => isOver(axis)));
  const axes = over.map((axis) => named(random, axis, rank, opset));
  const error = x.error + (terms + 2) * UNIT * x.most;
  const attributes = keeps || over.length === 0 ? {} : { keepdims: 0 };
  const results = [{ shape, most: x.most, error }];
  if (over.length === 0) return { op: "ReduceMean", attributes, results };
  if (opset < 18) return { op: "ReduceMean", attributes: { ...attributes, axes }, results };
  return { op: "ReduceMean", attributes, constants: [integers(...axes)], results };
};

const flatten: Generator = (random, x, opset) => {
  const axis = random.next() < 0.6 ? 1 : random.integer(0, x.shape.length);
  const attributes =
    axis !== 1 || random.next() < 0.5
      ? { axis: axis < x.shape.length ? named(random, axis, x.shape.length, opset) : axis }
      : {};
  return {
    op: "Flatten",
    attributes,
    results: moved(x, [count(x.shape.slice(0, axis)), count(x.shape.slice(axis))]),
  };
};

const reshape: Generator = (random, x) => {
  const [samples, ...rest] = x.shape;
  const shape = random.pick([
    [0, -1],
    [0, rest[0], -1],
    [-1, rest[0], count(rest) / rest[0]],
    [0, -1, rest[rest.length - 1]],
    [0, 0, -1],
    // No more positions than there may be.
    [0, ...rest.slice(0, -1).map(() => 0), -1, ...(rest.length < 4 ? [1] : [])],
  ]);
  const given = shape.slice(1).map((extent, i) => (extent === 0 ? rest[i] : extent));
  const known = given.map((extent) => {
    const others = given.filter((other) => other !== -1);
    return extent === -1 ? count(rest) / count(others) : extent;
  });
  return { op: "Reshape", constants: [integers(...shape)], results: moved(x, [samples, ...known]) };
};

const same =
  (op: string, attributes: Readonly<Record<string, AttributeValue>> = {}): Generator =>
  (_, x) => ({ op, attributes, results: moved(x, x.shape) });

const transpose: Generator = (random, x) => {
  const axes = list(x.shape.length, (axis) => axis);
  const [first, second, ...rest] = axes;
  const perm = random.pick([axes, [first, ...rest, second], [first, axes[axes.length - 1], ...axes.slice(1, -1)]]);
  const order = random.next() < 0.2 ? undefined : perm;
  const shape = (order ?? [...axes].reverse()).map((axis) => x.shape[axis]);
  return { op: "Transpose", attributes: order ? { perm: order } : {}, results: moved(x, shape) };
};

/** Of the last axis. */
const product: Generator = (random, x, opset) => {
  const outputs = random.integer(1, 5);
  const isGemm = x.shape.length === 2 && random.next() < 0.7;
  const isTurned = isGemm && random.next() < 0.5;
  const turnsValue = isGemm && random.next() < 0.4;
  const rows = turnsValue ? [x.shape[1]] : x.shape.slice(0, -1);
  const inputs = turnsValue ? x.shape[0] : x.shape[x.shape.length - 1];
  const front = list(isGemm || random.next() < 0.6 ? 0 : random.integer(1, 2), () => 1);
  const weights = constant(isTurned ? [outputs, inputs] : [...front, inputs, outputs], () => real(random));
  const shapes = [[outputs], [1, outputs], [1], []];
  const bias = isGemm && (opset < 11 || random.next() < 0.7) ? [constant(random.pick(shapes), () => real(random))] : [];
  const [alpha, beta] = isGemm && random.next() < 0.3 ? [real(random), real(random)] : [1, 1];
  const most = inputs * x.most + 1;
  return {
    op: isGemm ? "Gemm" : "MatMul",
    attributes: {
      ...(isTurned && { transB: 1 }),
      ...(turnsValue && { transA: 1 }),
      ...(alpha !== 1 && { alpha: { float: alpha }, beta: { float: beta } }),
    },
    constants: [weights, ...bias],
    results: [
      {
        shape: [...front.slice(0, Math.max(0, front.length + 1 - rows.length)), ...rows, outputs],
        most,
        error: inputs * x.error + (inputs + 4) * UNIT * most,
      },
    ],
  };
};

export const MOVES: readonly Generator[] = [
  slice,
  slice,
  split,
  pad,
  pad,
  resize,
  resize,
  resizeByAspect,
  depthToSpace,
  reduceMean,
  flatten,
  reshape,
  same("Identity"),
  same("Dropout"),
  same("Cast", { to: 1 }),
  transpose,
  product,
  product,
];
