/** The engine that tests run on, in Node: Dawn, on a GPU or a software driver. */
export { createEngine } from "../../src/node.js";
