/** Runs arithmetic. */
import type { Operand } from "../../../io/graph.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { add, div, mul, sub } from "../../operations/arithmetic.js";
import { reshape } from "../../operations/reshape.js";
import type { Runners } from "./runner.js";

export const RUNNERS = {
  arithmetic(node, { value, weight }, activation) {
    const operand = (one: Operand): Tensor | number => {
      if (typeof one === "number") return one;
      return typeof one === "string" ? value(one) : weight(one.weight);
    };
    const [a, b] = [operand(node.a), operand(node.b)];
    const { how, layout, axes } = node;
    const y = how === "add" ? add(a, b, { layout, activation }) : { sub, mul, div }[how](a, b, { layout });
    return withAxes(y, axes);
  },
} satisfies Runners;

/** With axes of one element in front, as ONNX broadcasts. */
function withAxes(y: Tensor, axes = 0): Tensor {
  const missing = axes - y.shape.length;
  if (missing <= 0) return y;
  const shaped = reshape(y, [...new Array<number>(missing).fill(1), ...y.shape]);
  y.dispose();
  return shaped;
}
