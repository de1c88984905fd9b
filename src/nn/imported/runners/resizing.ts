/** Runs resizing. */
import type { ResizeNode } from "../../../io/graph.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { interpolate } from "../../operations/resizing/interpolate.js";
import { enlargedCall } from "./enlarged.js";
import type { Runners } from "./runner.js";

export const RUNNERS = {
  interpolate: ({ x, options }, { value }) => resize(value(x), options),
  enlarged: enlargedCall,
} satisfies Runners;

export const resize = (x: Tensor, options: ResizeNode["options"]): Tensor =>
  interpolate(x, withFloat32Sizes(options, x.shape));

/** Files' scales are float32, and so is the product of an extent and a scale, which may round up to the next integer (as in ONNX Runtime). */
function withFloat32Sizes(options: ResizeNode["options"], shape: readonly number[]): ResizeNode["options"] {
  const first = options.layout === "channels-last" ? 1 : 2;
  const scaleFactor = options.scaleFactor?.map((scale, axis) => {
    const extent = shape[first + axis];
    const result = Math.floor(Math.fround(extent * scale));
    // A little more, so that what it makes of the extent is not below that again.
    return result > extent * scale ? (result / extent) * (1 + 2 ** -50) : scale;
  });
  return scaleFactor ? { ...options, scaleFactor } : options;
}
