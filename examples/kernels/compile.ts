/**
 * Compiles kernels on the adapter that Dawn finds: the report starts it under a runner that makes the adapter a GPU which the
 * machine lacks. Writes a line of JSON, who it is; then reads one a kernel, and answers each with one. On stderr a line
 * "KERNEL key" goes before what the driver says of that kernel.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { create, globals } from "webgpu";
import { adapterInfoOf, describeAdapter } from "../../src/planning/adapter.js";
import { type Capabilities, deviceRequest, readCapabilities } from "../../src/planning/capabilities.js";
import type { Text } from "./plan.js";

/** The first line. */
export interface Greeting {
  readonly adapter: string;
  readonly capabilities: Capabilities;
}

/** Of a kernel. */
export interface Answer {
  readonly key: string;
  /** Why it does not compile. */
  readonly error?: string;
}

const say = (line: Greeting | Answer): void => {
  writeSync(1, `${JSON.stringify(line)}\n`);
};

async function compile(device: GPUDevice, { name, code, bindings }: Text): Promise<void> {
  const visibility = GPUShaderStage.COMPUTE;
  const storage = bindings.map(({ binding, access }) => {
    return { binding, visibility, buffer: { type: access === "read" ? "read-only-storage" : "storage" } } as const;
  });
  const entries = [{ binding: 0, visibility, buffer: { type: "uniform" } } as const, ...storage];
  const layout = device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] });
  const module = device.createShaderModule({ label: name, code });
  await device.createComputePipelineAsync({ label: name, layout, compute: { module, entryPoint: "main" } });
}

Object.assign(globalThis, globals);
// Dawn's instance has to outlive its devices: the garbage collector does not know that they need it.
const gpu = create([]);
Object.assign(globalThis, { keptInstance: gpu });
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("Dawn found no adapter");
const device = await adapter.requestDevice(deviceRequest(adapter));
say({
  adapter: describeAdapter(adapterInfoOf(device)),
  capabilities: readCapabilities(device, undefined, adapter.info),
});
for await (const line of createInterface({ input: process.stdin })) {
  const text = JSON.parse(line) as Text;
  writeSync(2, `KERNEL ${text.key}\n`);
  try {
    await compile(device, text);
    say({ key: text.key });
  } catch (error) {
    say({ key: text.key, error: error instanceof Error ? error.message : String(error) });
  }
}
process.exit(0);
