/** Keras' layers, as operations of a graph. */
import { ELEMENTWISE } from "./elementwise.js";
import { PRODUCTS } from "./products.js";
import type { ReadLayer } from "./readLayer.js";
import { SPACE } from "./space.js";

/** By Keras' class names. */
export const LAYERS: Readonly<Record<string, ReadLayer>> = { ...PRODUCTS, ...ELEMENTWISE, ...SPACE };
