/** Runs resizing of axes that are named, and by one scale for all. */
import { require, show } from "../../../base/errors.js";
import type { ResizeAxesNode } from "../../../io/graph.js";
import { resize } from "./resizing.js";
import type { Runners } from "./runner.js";

export const RUNNERS = {
  interpolateAxes(node, { value }) {
    const x = value(node.x);
    return resize(x, withAspect(node, ofPositions(node, x.shape), x.shape));
  },
} satisfies Runners;

type Options = ResizeAxesNode["options"];

/** Of all positions, where the file names axes; those that it does not name stay as they are. */
function ofPositions({ axes, options }: ResizeAxesNode, shape: readonly number[]): Options {
  if (!axes) return options;
  const { size, scaleFactor, ...others } = options;
  const sizes = [...shape];
  const scales = shape.map(() => 1);
  for (const [i, axis] of axes.entries()) {
    const at = axis < 0 ? axis + shape.length : axis;
    const isKept = at >= 0 && (size ? size[i] === shape[at] : scaleFactor?.[i] === 1);
    require((at >= 2 && at < shape.length) || isKept, () => {
      return `x has shape ${show([...shape])} and axis ${String(axis)} is resized; expected axes of positions, from 2 on`;
    });
    if (size) sizes[at] = size[i];
    if (scaleFactor) scales[at] = scaleFactor[i];
  }
  return { ...others, ...(size ? { size: sizes.slice(2) } : { scaleFactor: scales.slice(2) }) };
}

/** By one scale along all named axes, the least or the largest of those that the sizes make. Extents are rounded, halves up. */
function withAspect({ axes, keepsAspect }: ResizeAxesNode, options: Options, shape: readonly number[]): Options {
  const { size, ...others } = options;
  if (!keepsAspect || !size) return options;
  const spatial = shape.slice(2);
  const named = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis) - 2) ?? spatial.map((_, axis) => axis);
  // Those of samples and channels are 1: without named axes they are among them.
  const hasOthers = !axes || named.some((axis) => axis < 0);
  const ratios = named.map((axis) => (axis < 0 ? 1 : size[axis] / spatial[axis])).concat(hasOthers ? [1] : []);
  const scale = keepsAspect === "not-larger" ? Math.min(...ratios) : Math.max(...ratios);
  const scaleFactor = spatial.map((_, axis) => (named.includes(axis) ? scale : 1));
  require(!hasOthers || scale === 1, () => {
    return `keep_aspect_ratio_policy resizes samples and channels ${String(scale)} times, too; expected axes of positions alone`;
  });
  const isRoundedUp = spatial.some((extent, axis) => {
    const exact = Math.fround(extent * scaleFactor[axis]);
    return Math.round(exact) > Math.floor(exact);
  });
  // Results would lie by the scale, and be one more than it makes.
  require(!isRoundedUp, () => {
    const made = spatial.map((extent, axis) => extent * scaleFactor[axis]);
    return `keep_aspect_ratio_policy makes ${show(made)} of ${show(spatial)}, which is rounded up; expected whole extents, or what is rounded down`;
  });
  return { ...others, scaleFactor };
}
