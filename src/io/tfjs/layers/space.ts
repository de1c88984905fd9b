/** Keras' layers that pool, resize, move values, or do nothing outside training. */
import { show } from "../../../base/errors.js";
import type { Rank } from "../../../problem/problem.js";
import type { LayerReader } from "../layer.js";
import type { ReadLayer } from "./readLayer.js";

const concatenate: ReadLayer = ({ inputs, config, place }) => {
  const axis = config.axis ?? -1;
  if (typeof axis !== "number" || !Number.isInteger(axis) || axis === 0)
    throw place.error(`has axis ${show(axis)}; expected one of the result but the first, which is the batch`);
  return [{ op: "concat", parts: inputs, axis }];
};

const pool =
  (how: "max" | "average", rank: Rank): ReadLayer =>
  (layer) => {
    const kernel = layer.perAxis("pool_size", rank, 2);
    const stride = layer.config.strides === null ? kernel : layer.perAxis("strides", rank, 2);
    return [
      {
        op: "pool",
        how,
        rank,
        x: layer.x,
        options: { kernel, stride, padding: layer.padding(), layout: layer.layout() },
      },
    ];
  };

const globalPool =
  (how: "max" | "average"): ReadLayer =>
  (layer) => [{ op: "globalPool", how, x: layer.x, layout: layer.layout(), flat: !layer.flag("keepdims", false) }];

const upSampling =
  (rank: 1 | 2): ReadLayer =>
  (layer) => {
    const scaleFactor = layer.perAxis("size", rank, 2);
    const mode = layer.config.interpolation ?? "nearest";
    if (mode !== "nearest" && !(mode === "bilinear" && rank === 2))
      throw layer.place.error(`has interpolation ${show(mode)}; expected nearest${rank === 2 ? " or bilinear" : ""}`);
    return [{ op: "interpolate", x: layer.x, options: { scaleFactor, mode, layout: layer.layout() } }];
  };

/** `sign` is -1 where as much is cut off. */
const padLayer =
  (rank: Rank, name: "padding" | "cropping", sign: 1 | -1): ReadLayer =>
  (layer) => {
    const given = layer.config[name];
    const axes = typeof given === "number" ? new Array<unknown>(rank).fill(given) : given;
    const isSide = (side: unknown): boolean => Number.isSafeInteger(side) && (side as number) >= 0;
    const pairs = Array.isArray(axes)
      ? (rank === 1 && axes.length === 2 ? [axes as unknown] : (axes as unknown[])).map((axis) => {
          return Array.isArray(axis) ? (axis as unknown[]) : [axis, axis];
        })
      : [];
    if (pairs.length !== rank || !pairs.every((pair) => pair.length === 2 && pair.every(isSide)))
      throw layer.place.error(
        `has ${name} ${show(given)}; expected whole numbers from 0 on, or pairs of them, one an axis`,
      );
    const padding = (pairs as number[][]).map(([begin, end]): [number, number] => [sign * begin, sign * end]);
    return [{ op: "pad", x: layer.x, padding, layout: layer.layout() }];
  };

/** Of channels that come first Keras puts them last before it. */
const flatten: ReadLayer = (layer) => {
  if (layer.layout() === "channels-first")
    throw layer.place.error("has data_format channels_first; expected channels_last");
  return [{ op: "reshape", x: layer.x, shape: [-1] }];
};

/** Does nothing outside training. */
const nothing: ReadLayer = () => undefined;

function targetShape({ config, place }: LayerReader): readonly number[] {
  const shape = config.target_shape;
  const isExtent = (extent: unknown): boolean =>
    extent === -1 || (Number.isSafeInteger(extent) && (extent as number) >= 1);
  if (!Array.isArray(shape) || !shape.every(isExtent) || shape.filter((extent) => extent === -1).length > 1)
    throw place.error(`has target_shape ${show(shape)}; expected extents, of which one may be -1`);
  return shape as number[];
}

export const SPACE: Readonly<Record<string, ReadLayer>> = {
  Concatenate: concatenate,
  MaxPooling1D: pool("max", 1),
  MaxPooling2D: pool("max", 2),
  MaxPooling3D: pool("max", 3),
  AveragePooling1D: pool("average", 1),
  AveragePooling2D: pool("average", 2),
  AveragePooling3D: pool("average", 3),
  GlobalAveragePooling1D: globalPool("average"),
  GlobalAveragePooling2D: globalPool("average"),
  GlobalMaxPooling1D: globalPool("max"),
  GlobalMaxPooling2D: globalPool("max"),
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  ZeroPadding1D: padLayer(1, "padding", 1),
  ZeroPadding2D: padLayer(2, "padding", 1),
  Cropping1D: padLayer(1, "cropping", -1),
  Cropping2D: padLayer(2, "cropping", -1),
  Flatten: flatten,
  Reshape: (layer) => [{ op: "reshape", x: layer.x, shape: targetShape(layer) }],
  Dropout: nothing,
  SpatialDropout1D: nothing,
  SpatialDropout2D: nothing,
  GaussianNoise: nothing,
  GaussianDropout: nothing,
  ActivityRegularization: nothing,
};
