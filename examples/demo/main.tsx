/** The demo page. */
import "@picocss/pico/css/pico.indigo.min.css";
import "./shell/shell.css";
import "./controls/controls.css";
import { render } from "preact";
import { parts } from "./parts/index.js";
import { App } from "./shell/app.js";

// What `using` is compiled to looks for this key, which not every browser with WebGPU has. Parts are loaded after it.
(Symbol as { dispose?: symbol }).dispose ??= Symbol.for("Symbol.dispose");

const root = document.getElementById("app");
if (!root) throw new Error("index.html has no element with the id app");
render(<App parts={parts} />, root);
