/** Prints, as JSON, the adapter that Dawn finds in this process' environment. In a process of its own: a driver may crash. */
import { create } from "webgpu";
import { describeAdapter, isSoftware } from "../../src/planning/adapter.js";

/** What is printed. */
export interface Probe {
  readonly description: string;
  readonly software: boolean;
  readonly shaderF16: boolean;
}

const adapter = await create([]).requestAdapter();
if (!adapter) throw new Error("Dawn found no adapter");
const { info, features } = adapter;
const found: Probe = {
  description: describeAdapter(info),
  software: isSoftware(info),
  shaderF16: features.has("shader-f16"),
};
process.stdout.write(JSON.stringify(found), () => process.exit(0));
