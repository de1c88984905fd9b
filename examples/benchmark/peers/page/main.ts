/** Puts the benchmark where the command that drives this page finds it. */
import { openBench } from "../bench.js";
import * as networks from "../networks/bench.js";

declare global {
  interface Window {
    openBench?: typeof openBench;
    networks?: typeof networks;
  }
}

window.networks = networks;
window.openBench = openBench;
