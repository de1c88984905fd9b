/**
 * What trials of kernels cost, `npm run vetting`: for the benchmark's layers, milliseconds of the host and the device from the start
 * of a trial to its verdict, its kernels compiled; of a plan, and of each of the kernels that it tries. `-- --nn` takes the operations
 * around convolutions in steps of training of examples/networks; `-- --filter ResNet` takes some.
 */
import { createEngine } from "webgpu-conv/node";
import { PipelineCache } from "../../src/gpu/pipelines/pipelineCache.js";
import { readCapabilities } from "../../src/planning/capabilities.js";
import { select } from "../../src/solvers/select.js";
import { textKeys } from "../../src/vetting/keys.js";
import { tryOut } from "../../src/vetting/tryOut.js";
import { ofLayers, ofNetworks } from "./candidates.js";

const filterAt = process.argv.indexOf("--filter");
const filter = filterAt < 0 ? "" : process.argv[filterAt + 1];
const engine = await createEngine();
const { device } = engine;
if (!device) throw new Error("trials need a WebGPU device");
const capabilities = readCapabilities(device);
const ground = { device, capabilities, pipelines: new PipelineCache(device), select };
console.log(`${engine.adapter.description}\n`);

const times: number[] = [];
const timesOfKernels: number[] = [];
const tried = new Set<string>();
let undecided = 0;
for (const { operation, plan, origin } of process.argv.includes("--nn")
  ? await ofNetworks(device)
  : ofLayers(capabilities)) {
  const keys = textKeys(plan);
  const key = keys.join();
  if (!origin.includes(filter) || tried.has(key)) continue;
  tried.add(key);
  // The first one waits for the compiler.
  const first = await tryOut(operation, plan, ground, { platform: "" });
  if (first !== "passed") undecided++;
  if (typeof first === "object") console.log(first.fault.report);
  const begin = performance.now();
  await tryOut(operation, plan, ground, { platform: "" });
  const milliseconds = performance.now() - begin;
  times.push(milliseconds);
  timesOfKernels.push(...keys.map(() => milliseconds / keys.length));
  const kernels = `${String(keys.length)} kernels`;
  const name = "direction" in operation ? operation.direction : operation.name;
  console.log(`${milliseconds.toFixed(1).padStart(6)} ms  ${name}, ${plan.solver}, ${kernels}, ${origin}`);
}

/** A line of the mean and of percentiles. */
function summary(what: string, milliseconds: readonly number[]): string {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  const mean = (sorted.reduce((sum, one) => sum + one, 0) / sorted.length).toFixed(1);
  return `${String(sorted.length)} ${what}: mean ${mean} ms, median ${at(0.5)}, 95 in 100 within ${at(0.95)}, most ${at(1)}`;
}

console.log(`\n${summary("plans", times)}\n${summary("kernels", timesOfKernels)}`);
console.log(`${String(undecided)} of them have no small problem with the same kernels`);
engine.dispose();
