/**
 * What loads, stores and index divisions cost a kernel on this machine's device: each alone, many times over.
 * After a build: `npx tsx --tsconfig examples/tsconfig.json examples/loads/main.ts`.
 */
import { createEngine } from "webgpu-conv/node";

const WORKGROUPS = 4096;
const THREADS = 64;
/** Far from each other, so that every access is one of its own. */
const PITCH = 1000;
const COUNT = 8;
const DISPATCHES = 10;
const ROUNDS = 7;
const BUFFER_BYTES = 2 ** 25;

const repeated = (line: (i: string) => string): string =>
  Array.from({ length: COUNT }, (_, i) => line(`${String(i)}u`)).join("\n");

/** A kernel's elements and body; `id` is the thread's index, `group` its workgroup's. */
interface Probe {
  readonly name: string;
  readonly element?: "f32" | "vec4<f32>";
  readonly body: string;
}

const EMPTY: Probe = { name: "a thread that stores one value", body: "result[id] = f32(id);" };
const load = (address: (i: string) => string): string =>
  `var sum = Element();\n${repeated((i) => `sum += source[${address(i)}];`)}\nresult[id] = sum;`;

/** Each does {@link COUNT} of what it is named for beside what the empty one does. */
const PROBES: readonly Probe[] = [
  {
    name: "store",
    body: `result[id] = f32(id);\n${repeated((i) => `result[id + (${i} + 1u) * ${String(PITCH)}u] = 1.0;`)}`,
  },
  { name: "load", body: load((i) => `id + ${i} * ${String(PITCH)}u`) },
  { name: "load from the same place for all threads", body: load((i) => `group + ${i} * ${String(PITCH)}u`) },
  { name: "load of a vector of 4", element: "vec4<f32>", body: load((i) => `id + ${i} * ${String(PITCH)}u`) },
  {
    name: "integer division",
    body: `var value = id;\n${repeated((i) => `value = value / (3u + group % 2u) + ${i} * 77777u;`)}\nresult[id] = f32(value);`,
  },
];

const shaderOf = ({ element = "f32", body }: Probe): string => `
  alias Element = ${element};
  @group(0) @binding(0) var<storage, read> source: array<Element>;
  @group(0) @binding(1) var<storage, read_write> result: array<Element>;
  @compute @workgroup_size(${String(THREADS)})
  fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(workgroup_id) workgroupId: vec3<u32>) {
    let id = at.x;
    let group = workgroupId.x;
    // Always false: keeps the source in the automatic layout of a body that does not read it.
    if (id > arrayLength(&source)) {
      return;
    }
    ${body}
  }`;

/** Nanoseconds of one dispatch, the median of all rounds. */
async function measure(device: GPUDevice, probe: Probe, buffers: readonly GPUBuffer[]): Promise<number> {
  const module = device.createShaderModule({ code: shaderOf(probe) });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const bindGroup = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    for (let i = 0; i < DISPATCHES; i++) pass.dispatchWorkgroups(WORKGROUPS);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    // The first round warms up.
    if (round > 0) times.push(((performance.now() - start) * 1e6) / DISPATCHES);
  }
  return times.sort((one, other) => one - other)[times.length >> 1];
}

using engine = await createEngine();
const { device } = engine;
if (!device) throw new Error("no WebGPU device");
const buffers = [1, 2].map(() => device.createBuffer({ size: BUFFER_BYTES, usage: GPUBufferUsage.STORAGE }));
console.log(engine.adapter.description);
const threads = WORKGROUPS * THREADS;
const tell = (name: string, nanoseconds: number): void => {
  console.log(`  ${name.padEnd(44)} ${nanoseconds.toFixed(2).padStart(7)} ns a thread`);
};
const empty = await measure(device, EMPTY, buffers);
tell(EMPTY.name, empty / threads);
for (const probe of PROBES) tell(probe.name, ((await measure(device, probe, buffers)) - empty) / threads / COUNT);
