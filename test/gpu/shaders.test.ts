/** Each kernel file compiles without its conditions and specialised, and its reflected interface is the compiler's own. */
import { describe, expect } from "vitest";
import { indent } from "../../src/kernels/indent.js";
import type { Kernel, LoadedKernel } from "../../src/kernels/kernel.js";
import { type AliasTypes, type ConstantValues, decideConditions, specialize } from "../../src/kernels/specialize.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { LOADED_KERNELS } from "../support/kernels.js";

/** What the compiler says against the module. */
async function compileErrors(device: GPUDevice, code: string): Promise<string[]> {
  const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
  return messages
    .filter(({ type }) => type === "error")
    .map(({ lineNum, message }) => `${String(lineNum)}: ${message}`);
}

/** Builds the pipeline with an explicit layout whose uniform buffer has at least `uniformBytes`. */
async function pipelineError(
  device: GPUDevice,
  kernel: Pick<Kernel, "bindings">,
  code: string,
  uniformBytes: number,
): Promise<string | undefined> {
  const visibility = GPUShaderStage.COMPUTE;
  const storage = Object.values(kernel.bindings).map(({ binding, access }): GPUBindGroupLayoutEntry => {
    return { binding, visibility, buffer: { type: access === "read" ? "read-only-storage" : "storage" } };
  });
  const uniform = { binding: 0, visibility, buffer: { type: "uniform", minBindingSize: uniformBytes } } as const;
  const bindGroupLayout = device.createBindGroupLayout({ entries: [uniform, ...storage] });
  const layout = device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] });
  const module = device.createShaderModule({ code });
  try {
    await device.createComputePipelineAsync({ layout, compute: { module, entryPoint: "main" } });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** Kernels that write scalars alone, though what ends a pass can write vectors. */
const SCALAR_RESULTS: ReadonlySet<string> = new Set(["direct", "register_tile", "subgroup_matrix", "sum_splits"]);

/**
 * Every switch turned from its default, 2D, strided and dilated; tiles keep the file's sizes. Conditions that go with a feature of a
 * device, or with types, stay.
 */
function specialised({ name, code, constants, conditions }: LoadedKernel): ConstantValues {
  const shape = {
    RANK: 2,
    STRIDE_HEIGHT: 2,
    STRIDE_WIDTH: 3,
    DILATION_HEIGHT: 3,
    DILATION_WIDTH: 2,
    ACTIVATION: 1,
    B_TOGETHER: 4,
  };
  const own = Object.entries(shape).filter(([constant]) => constants.includes(constant));
  const needsMore = SCALAR_RESULTS.has(name) ? /^(SUBGROUP|HALVES|PACKED|VECTOR_)/ : /^(SUBGROUP|HALVES|PACKED)/;
  const switches = [...code.matchAll(/^const (\w+): bool = (true|false); \/\/ @specialize$/gm)];
  return {
    ...Object.fromEntries(own),
    ...Object.fromEntries(switches.map(([, constant, value]) => [constant, value === "false"])),
    ...Object.fromEntries(conditions.map((condition) => [condition, !needsMore.test(condition)])),
  };
}

/** The types that go with these switches, for kernels that have them. */
const typesOf = ({ aliases }: LoadedKernel, { VECTOR_RESULT, VECTORS, SCALAR_SUMS }: ConstantValues): AliasTypes => ({
  ...(VECTOR_RESULT === true && { Result: "vec4f", Sum: "vec4f" }),
  ...(VECTORS === true && aliases.includes("Source") && { Source: "vec4f" }),
  ...(VECTORS === true && aliases.includes("Values") && { Values: "vec4f" }),
  ...(VECTORS === true && aliases.includes("Numbers") && { Numbers: "vec4f" }),
  ...(SCALAR_SUMS === true && { Sums: "f32" }),
});

gpuTest("there are kernels", () => {
  expect(LOADED_KERNELS.length).toBeGreaterThan(0);
});

for (const kernel of LOADED_KERNELS) {
  describe(`${kernel.name}.wgsl`, () => {
    const asItStands = decideConditions(kernel.code, () => false);
    const values = specialised(kernel);

    gpuTest("compiles with no condition, loops as written", async ({ engine }) => {
      expect(await compileErrors(deviceOf(engine), asItStands)).toEqual([]);
      expect(await pipelineError(deviceOf(engine), kernel, asItStands, kernel.uniforms.bytes)).toBeUndefined();
    });

    gpuTest("compiles specialised, loops written out", async ({ engine }) => {
      const code = specialize(kernel, values, typesOf(kernel, values));
      expect(code).not.toMatch(/@unroll|@if|@else/);
      expect(code !== kernel.code).toBe(/@specialize|@unroll|@if/.test(kernel.code));
      expect(await compileErrors(deviceOf(engine), code)).toEqual([]);
      expect(await pipelineError(deviceOf(engine), kernel, code, kernel.uniforms.bytes)).toBeUndefined();
    });

    if (kernel.constants.includes("BROADCAST_LANES")) {
      gpuTest("compiles with lanes that broadcast", async ({ engine, capabilities }) => {
        // Where there are no subgroups no plan asks for it.
        const BROADCAST_LANES = Math.min(4, capabilities.subgroupLanes);
        const code = specialize(
          kernel,
          { ...values, BROADCAST_LANES, SUBGROUPS: BROADCAST_LANES > 1 },
          typesOf(kernel, values),
        );
        expect(code.includes("subgroupBroadcast")).toBe(BROADCAST_LANES > 1);
        expect(await compileErrors(deviceOf(engine), code)).toEqual([]);
        expect(await pipelineError(deviceOf(engine), kernel, code, kernel.uniforms.bytes)).toBeUndefined();
      });
    }

    gpuTest("has the uniform struct that was reflected, to the byte", async ({ engine }) => {
      const { bytes } = kernel.uniforms;
      // A layout that promises less than the struct's size is refused: so the size is not overstated either.
      expect(await pipelineError(deviceOf(engine), kernel, asItStands, Math.max(1, bytes - 4))).toMatch(/size/i);
    });

    gpuTest("refuses a layout that lacks one of its bindings", async ({ engine }) => {
      for (const name of Object.keys(kernel.bindings)) {
        const bindings = Object.fromEntries(Object.entries(kernel.bindings).filter(([other]) => other !== name));
        const error = await pipelineError(deviceOf(engine), { bindings }, asItStands, kernel.uniforms.bytes);
        expect(error === undefined, `binding ${name} is used as the file stands`).toBe(!isUsed(asItStands, name));
      }
    });
  });
}

/** Whether the entry point, as the file stands, reads or writes the binding. Constants may leave one untouched. */
const isUsed = (code: string, name: string): boolean => new RegExp(`\\b${name}\\[`).test(reachedBy("main", code));

/** The text of a function and of all that it calls. */
function reachedBy(entry: string, code: string): string {
  const functions = new Map(
    [...indent(code).matchAll(/\bfn (\w+)\([\s\S]*?^\}/gm)].map(([text, name]) => [name, text]),
  );
  const reached = new Set([entry]);
  for (const name of reached) {
    for (const [, called] of (functions.get(name) ?? "").matchAll(/\b(\w+)\(/g))
      if (functions.has(called)) reached.add(called);
  }
  return [...reached].map((name) => functions.get(name) ?? "").join("\n");
}
