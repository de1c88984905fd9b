/** What is planned, and compiled, on a device. */
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { Compiler } from "./compilers.js";
import type { Compiled } from "./machine/statistics.js";
import { type Case, planCase, type Planned } from "./plan.js";
import { makeRow, type Row } from "./rows.js";

/** A current GPU, and NVIDIA's, as Chromium describes it: for plans where no adapter is at hand. */
export const DESCRIBED: Capabilities = {
  ...DEFAULT_CAPABILITIES,
  deviceClass: "nvidia",
  classifiedBy: "the report's own description",
  timestamps: true,
  shaderF16: true,
  subgroupLanes: 32,
  limits: {
    ...DEFAULT_CAPABILITIES.limits,
    maxBufferSize: 2 ** 32 - 4,
    maxStorageBufferBindingSize: 2 ** 31 - 4,
    maxStorageBuffersPerShaderStage: 10,
    maxComputeWorkgroupStorageSize: 32_768,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxComputeWorkgroupSizeY: 1024,
  },
};

export async function planRows(cases: readonly Case[], capabilities: Capabilities): Promise<Row[]> {
  const rows: Row[] = [];
  for (const wanted of cases) rows.push(makeRow(await planCase(wanted, capabilities), new Map()));
  return rows;
}

export interface Device {
  readonly adapter: string;
  readonly capabilities: Capabilities;
  readonly rows: readonly Row[];
}

/** Where compilers are, and compile.ts, built. */
export interface Places {
  readonly folder: string;
  readonly script: string;
}

/**
 * @param tell is told how far it is
 */
export async function compileRows(
  model: string,
  cases: readonly Case[],
  { folder, script }: Places,
  tell: (words: string) => void,
): Promise<Device> {
  const compiler = new Compiler(model, folder, script);
  try {
    const { adapter, capabilities } = await compiler.greeting();
    const rows: Row[] = [];
    for (const [index, wanted] of cases.entries()) {
      const planned = await planCase(wanted, capabilities);
      rows.push(makeRow(planned, await compileAll(planned, compiler)));
      if (index % 20 === 19)
        tell(`${model}: ${String(index + 1)} of ${String(cases.length)} plans, ${String(compiler.size)} kernels`);
    }
    return { adapter, capabilities, rows };
  } finally {
    compiler.close();
  }
}

async function compileAll({ dispatches }: Planned, compiler: Compiler): Promise<Map<string, Compiled>> {
  const compiled = new Map<string, Compiled>();
  for (const { text } of dispatches) {
    const result = await compiler.compile(text);
    if (result) compiled.set(text.key, result);
  }
  return compiled;
}
