/** A host that drifts from its shader does not compile: the errors expected here are the compiler's. */
import { expect, test } from "vitest";
import { dispatch } from "../../src/planning/solver.js";
import type { Kernel } from "../../src/kernels/kernel.js";

const kernel: Kernel<"TILE" | "HAS_BIAS", "width" | "height", "source" | "result"> = {
  name: "scale",
  uniforms: {
    bytes: 8,
    fields: { width: { offsetBytes: 0, type: "u32", count: 1 }, height: { offsetBytes: 4, type: "u32", count: 1 } },
  },
  bindings: { source: { binding: 1, access: "read" }, result: { binding: 2, access: "read_write" } },
  load: () => Promise.resolve({ default: "" }),
};
const constants = { TILE: 4 };
const uniforms = { width: 3, height: 2 };
const bindings = { source: "x", result: "y" } as const;
const workgroups = [1, 1, 1] as const;

test("names are checked, in literals, in variables and behind spreads", () => {
  const others = { TILES: 4 };
  const dispatches = [
    dispatch(kernel, { constants, uniforms, bindings, workgroups }),
    dispatch(kernel, { constants: { ...constants, HAS_BIAS: true }, uniforms, bindings, workgroups }),
    dispatch(kernel, { constants: {}, uniforms, bindings, workgroups }),
    // @ts-expect-error -- no such constant
    dispatch(kernel, { constants: { TILES: 4 }, uniforms, bindings, workgroups }),
    // @ts-expect-error -- nor in a variable
    dispatch(kernel, { constants: others, uniforms, bindings, workgroups }),
    // @ts-expect-error -- nor behind a spread
    dispatch(kernel, { constants: { ...constants, ...others }, uniforms, bindings, workgroups }),
    // @ts-expect-error -- no such field
    dispatch(kernel, { constants, uniforms: { ...uniforms, ...{ depth: 1 } }, bindings, workgroups }),
    // @ts-expect-error -- a field that is missing
    dispatch(kernel, { constants, uniforms: { width: 3 }, bindings, workgroups }),
    // @ts-expect-error -- no such binding
    dispatch(kernel, { constants, uniforms, bindings: { ...bindings, ...{ bias: "bias" as const } }, workgroups }),
    // @ts-expect-error -- a binding that is missing
    dispatch(kernel, { constants, uniforms, bindings: { source: "x" }, workgroups }),
    // @ts-expect-error -- a source that there is not
    dispatch(kernel, { constants, uniforms, bindings: { ...bindings, source: "nothing" }, workgroups }),
  ];
  expect(dispatches[0]).toEqual({ kernel, types: {}, constants, uniforms, bindings, workgroups });
});
