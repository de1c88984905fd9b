/** ONNX's pooling, resizing and padding. */
import { show } from "../../../base/errors.js";
import type { ResizeNode } from "../../graph.js";
import { LAYOUT, type Operator, padsOf, pairsOf, rankOf } from "./operator.js";

const POOL = ["auto_pad", "ceil_mode", "kernel_shape", "pads", "strides", "dilations"];

const pool = (how: "max" | "average"): Operator => ({
  attributes: [...POOL, ...(how === "max" ? ["storage_order"] : ["count_include_pad"])],
  read(node) {
    const kernel = node.integers("kernel_shape");
    if (!kernel) throw node.error("has no kernel_shape; expected the window's extents");
    const rank = rankOf(node, kernel.length);
    const dilation = node.integers("dilations") ?? 1;
    if (how === "average" && dilation !== 1 && dilation.some((distance) => distance !== 1))
      throw node.error(`has dilations ${show([...dilation])}; expected 1`);
    return [
      {
        op: "pool",
        how,
        rank,
        x: node.value(0),
        options: {
          kernel,
          stride: node.integers("strides") ?? 1,
          padding: padsOf(node, rank),
          ceilMode: node.integer("ceil_mode", 0) !== 0,
          ...LAYOUT,
        },
        ...(how === "max" ? { dilation } : { countIncludePad: node.integer("count_include_pad", 0) !== 0 }),
      },
    ];
  },
});

const globalPool = (how: "max" | "average"): Operator => ({
  attributes: [],
  read: (node) => [{ op: "globalPool", how, x: node.value(0), flat: false, ...LAYOUT }],
});

/** Axes are an input from version 18 on. Without any it is over all, or does nothing. */
const reduceMean: Operator = {
  attributes: ["axes", "keepdims", "noop_with_empty_axes"],
  read(node) {
    const axes = node.numbers(1) ?? node.integers("axes") ?? [];
    if (axes.length === 0 && node.integer("noop_with_empty_axes", 0) !== 0) return { same: node.value(0) };
    const keepDims = node.integer("keepdims", 1) !== 0;
    return [{ op: "mean", x: node.value(0), ...(axes.length > 0 && { axes }), keepDims }];
  },
};

const COORDINATES = {
  half_pixel: "half-pixel",
  pytorch_half_pixel: "pytorch-half-pixel",
  align_corners: "align-corners",
  asymmetric: "asymmetric",
} as const;
const ROUNDINGS = {
  round_prefer_floor: "prefer-floor",
  round_prefer_ceil: "prefer-ceil",
  floor: "floor",
  ceil: "ceil",
} as const;
const ASPECTS = { stretch: undefined, not_larger: "not-larger", not_smaller: "not-smaller" } as const;

const resize: Operator = {
  attributes: [
    "coordinate_transformation_mode",
    "mode",
    "nearest_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "extrapolation_value",
    "antialias",
    "keep_aspect_ratio_policy",
    "axes",
  ],
  read(node) {
    if (node.integer("antialias", 0) !== 0) throw node.error("has antialias 1; expected 0");
    const axes = node.integers("axes");
    const keepsAspect = node.oneOf("keep_aspect_ratio_policy", "stretch", ASPECTS);
    // Version 10 had scales alone, and neither a choice of coordinates nor of roundings: ONNX's tests of it round down where there are
    // more results, and up where there are fewer.
    const isOld = node.opset < 11;
    const [scales, sizes] = isOld ? [node.numbers(1), undefined] : [node.numbers(2), node.numbers(3)];
    const given = sizes?.length ? sizes : scales;
    if (!given?.length) throw node.error("has neither scales nor sizes; expected one of them, constant");
    if (axes && axes.length !== given.length)
      throw node.error(`has axes ${show([...axes])} for ${show([...given])}; expected as many of both`);
    if (!axes) rankOf(node, given.length - 2);
    if (!axes && !sizes?.length && (given[0] !== 1 || given[1] !== 1))
      throw node.error(`has scales ${show([...given])}; expected 1 of samples and channels`);
    const isLinear = node.oneOf("mode", "nearest", { nearest: false, linear: true });
    const spatial = axes ? given : given.slice(2);
    const common = {
      ...(sizes?.length ? { size: spatial } : { scaleFactor: spatial }),
      coordinates: node.oneOf("coordinate_transformation_mode", isOld ? "asymmetric" : "half_pixel", COORDINATES),
      ...LAYOUT,
    };
    const isFewer = spatial.some((scale) => scale < 1);
    if (isOld && isFewer && spatial.some((scale) => scale > 1) && !isLinear)
      throw node.error(`has scales ${show([...given])} in version 10; expected all below 1, or none`);
    const usual = !isOld ? "round_prefer_floor" : isFewer ? "ceil" : "floor";
    const rounding = node.oneOf("nearest_mode", usual, ROUNDINGS);
    const options: ResizeNode["options"] = isLinear
      ? { ...common, mode: "linear" }
      : { ...common, mode: "nearest", rounding };
    const aspect = keepsAspect !== undefined && sizes?.length ? { keepsAspect } : undefined;
    if (!axes && !aspect) return [{ op: "interpolate", x: node.value(0), options }];
    return [{ op: "interpolateAxes", x: node.value(0), options, ...(axes && { axes }), ...aspect }];
  },
};

const depthToSpace: Operator = {
  attributes: ["blocksize", "mode"],
  read: (node) => [
    {
      op: "pixelShuffle",
      x: node.value(0),
      factor: node.integer("blocksize", 0),
      channelOrder: node.oneOf("mode", "DCR", { DCR: "DCR", CRD: "CRD" }),
      ...LAYOUT,
    },
  ],
};

/** Extents and the value beyond are inputs from version 11 on. */
const pad: Operator = {
  attributes: ["mode", "pads", "value"],
  read(node) {
    const pads = node.numbers(1) ?? node.integers("pads") ?? [];
    const axes = node.numbers(3);
    const pairs = pairsOf(node, pads, axes ? axes.length : Math.ceil(pads.length / 2));
    // Of positions alone, where nothing else is padded: whether x has as many axes is the operation's to say.
    const isSpatial = pairs.length > 2 && pairs.slice(0, 2).every(([begin, end]) => begin === 0 && end === 0);
    return [
      {
        op: "pad",
        x: node.value(0),
        ...(!axes && isSpatial
          ? { padding: pairs.slice(2) }
          : { padding: pairs, axes: axes ?? pairs.map((_, i) => i) }),
        paddingMode: node.oneOf("mode", "constant", {
          constant: "zeros",
          reflect: "reflect",
          edge: "replicate",
          wrap: "circular",
        } as const),
        value: node.scalar(2) ?? node.float("value", 0),
        ...LAYOUT,
      },
    ];
  },
};

export const SPACE: Readonly<Record<string, Operator>> = {
  MaxPool: pool("max"),
  AveragePool: pool("average"),
  GlobalAveragePool: globalPool("average"),
  GlobalMaxPool: globalPool("max"),
  ReduceMean: reduceMean,
  Resize: resize,
  DepthToSpace: depthToSpace,
  Pad: pad,
};
