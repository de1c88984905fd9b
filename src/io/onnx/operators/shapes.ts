/** ONNX's operators that move values, or only pass them on. */
import { show } from "../../../base/errors.js";
import { BEFORE } from "../../chain.js";
import type { Operator } from "./operator.js";

const concat: Operator = {
  attributes: ["axis"],
  read: (node) => [
    {
      op: "concat",
      parts: node.node.inputs.map((_, i) => node.value(i)),
      axis: node.integer("axis", 1),
    },
  ],
};

const reshape: Operator = {
  attributes: ["allowzero"],
  read(node) {
    const [batch, ...rest] = node.numbers(1) ?? [];
    const isOfNothing = node.integer("allowzero", 0) !== 0 && rest.includes(0);
    if (
      rest.length === 0 ||
      (batch !== 0 && batch !== -1 && batch !== 1) ||
      isOfNothing ||
      rest.some((extent) => extent < -1) ||
      rest.filter((extent) => extent === -1).length > 1
    )
      throw node.error(
        `has shape ${show(node.numbers(1) ?? [])}${isOfNothing ? " and allowzero 1" : ""}; expected the batch as 0 or 1, and extents of which one may be -1, and others 0: as they were`,
      );
    return [{ op: "reshape", x: node.value(0), shape: rest }];
  },
};

const flatten: Operator = {
  attributes: ["axis"],
  read(node) {
    const axis = node.integer("axis", 1);
    return [{ op: "reshape", x: node.value(0), shape: [-1], ...(axis !== 1 && { flatFrom: axis }) }];
  },
};

/** Beyond all indices, in the direction of the step: the end. In the other one there is nothing, which the part's own error says. */
const endOf = (end: number, step: number): number | undefined => (end > 0 === step > 0 ? undefined : end);

/** Along one axis or several, one after the other: bounds are attributes before version 10. Beyond 2^31 is the end. */
const slice: Operator = {
  attributes: ["starts", "ends", "axes"],
  read(node) {
    const [starts, ends, named] = (["starts", "ends", "axes"] as const).map(
      (name, i) => node.numbers(i + 1) ?? node.integers(name),
    );
    if (!starts?.length || ends?.length !== starts.length)
      throw node.error(`has starts ${show(starts)} and ends ${show(ends)}; expected as many of both`);
    const axes = named ?? starts.map((_, axis) => axis);
    if (axes.length !== starts.length)
      throw node.error(`has axes ${show(axes)}; expected ${String(starts.length)}, one of each start`);
    const steps = node.numbers(4) ?? starts.map(() => 1);
    if (steps.length !== starts.length || steps.includes(0))
      throw node.error(`has steps ${show([...steps])}; expected ${String(starts.length)}, none of them 0`);
    return axes.map((axis, i) => ({
      op: "slice" as const,
      x: i === 0 ? node.value(0) : BEFORE,
      axis,
      start: starts[i],
      end: Math.abs(ends[i]) > 2 ** 31 - 2 ? endOf(ends[i], steps[i]) : ends[i],
      ...(steps[i] !== 1 && { step: steps[i] }),
    }));
  },
};

/** Of extents that the file has, or equal ones. */
const split: Operator = {
  attributes: ["axis", "split", "num_outputs"],
  read: () => [],
  results(node) {
    const extents = node.numbers(1) ?? node.integers("split");
    const axis = node.integer("axis", 0);
    if (!extents) {
      const results = node.node.outputs.length;
      const of = node.integer("num_outputs", results);
      // Before anything is as long as the file says.
      if (of !== results) throw node.error(`has ${String(results)} results; expected ${String(of)}, its num_outputs`);
      const whole = { op: "slice" as const, x: node.value(0), axis, start: 0, end: undefined };
      return Array.from({ length: of }, (_, index) => ({ ...whole, part: { index, of } }));
    }
    let start = 0;
    return extents.map((extent) => {
      const part = { op: "slice" as const, x: node.value(0), axis, start, end: start + extent };
      start += extent;
      return part;
    });
  },
};

const same = (attributes: readonly string[] = []): Operator => ({
  attributes,
  read: (node) => ({ same: node.node.inputs[0] ?? "" }),
});

const dropout: Operator = {
  attributes: ["ratio", "seed"],
  read(node) {
    if (node.scalar(2)) throw node.error("has training_mode true; expected false");
    return { same: node.value(0) };
  },
};

/** Floating-point types are the engine's own. */
const FLOATS = [1, 10, 11, 16];
const cast: Operator = {
  attributes: ["to", "saturate", "round_mode"],
  read(node) {
    const to = node.integer("to", 0);
    if (!FLOATS.includes(to))
      throw node.error(`casts to type ${String(to)}; expected a floating-point one: ${FLOATS.join(", ")}`);
    return { same: node.value(0) };
  },
};

const transpose: Operator = {
  attributes: ["perm"],
  read(node) {
    const order = node.integers("perm");
    if (order?.every((axis, i) => axis === i)) return { same: node.value(0) };
    if (order?.some((_, axis) => !order.includes(axis)))
      throw node.error(`has perm ${show([...order])}; expected each axis once`);
    return [{ op: "permute", x: node.value(0), ...(order && { order }) }];
  },
};

export const SHAPES: Readonly<Record<string, Operator>> = {
  Concat: concat,
  Slice: slice,
  Split: split,
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Identity: same(),
  Dropout: dropout,
  Cast: cast,
};
