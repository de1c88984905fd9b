/** The engine that tests run on, in a browser. */
export { createEngine } from "../../src/index.js";
