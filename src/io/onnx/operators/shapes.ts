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
    if (
      rest.length === 0 ||
      (batch !== 0 && batch !== -1 && batch !== 1) ||
      rest.some((extent) => extent < -1 || extent === 0)
    )
      throw node.error(
        `has shape ${show(node.numbers(1) ?? [])}; expected the batch as 0 or 1, and extents of which one may be -1`,
      );
    return [{ op: "reshape", x: node.value(0), shape: rest }];
  },
};

const flatten: Operator = {
  attributes: ["axis"],
  read(node) {
    const axis = node.integer("axis", 1);
    if (axis !== 1) throw node.error(`has axis ${String(axis)}; expected 1`);
    return [{ op: "reshape", x: node.value(0), shape: [-1] }];
  },
};

/** Along one axis or several, one after the other. Beyond 2^31 is the end. */
const slice: Operator = {
  attributes: [],
  read(node) {
    const [starts, ends] = [node.numbers(1) ?? [], node.numbers(2) ?? []];
    const axes = node.numbers(3) ?? starts.map((_, axis) => axis);
    const steps = node.numbers(4) ?? starts.map(() => 1);
    if (steps.some((step) => step !== 1)) throw node.error(`has steps ${show([...steps])}; expected 1`);
    return axes.map((axis, i) => ({
      op: "slice" as const,
      x: i === 0 ? node.value(0) : BEFORE,
      axis,
      start: starts[i],
      end: ends[i] > 2 ** 31 - 2 ? undefined : ends[i],
    }));
  },
};

/** Of extents that the file has. */
const split: Operator = {
  attributes: ["axis", "split"],
  read: () => [],
  results(node) {
    const extents = node.numbers(1) ?? node.integers("split");
    if (!extents) throw node.error("has no extents of its parts; expected them as a constant");
    const axis = node.integer("axis", 0);
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
    if (!order?.every((axis, i) => axis === i))
      throw node.error(`has perm ${show(order ? [...order] : order)}; expected one that moves no axis`);
    return { same: node.value(0) };
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
  Dropout: same(["ratio", "seed"]),
  Cast: cast,
};
