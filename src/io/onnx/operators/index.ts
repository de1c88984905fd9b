/** ONNX's operators, as operations of a graph. */
import { ELEMENTWISE } from "./elementwise.js";
import type { Operator } from "./operator.js";
import { PRODUCTS } from "./products.js";
import { SHAPES } from "./shapes.js";
import { SPACE } from "./space.js";

/** By ONNX's names, without Constant, which is read before. */
export const OPERATORS: Readonly<Record<string, Operator>> = { ...PRODUCTS, ...ELEMENTWISE, ...SPACE, ...SHAPES };
