/** A host that drifts from its shader does not compile: the errors expected here are the compiler's. */
import { expect, test } from "vitest";
import { dispatch, without } from "../../src/planning/solver.js";
import type { Kernel } from "../../src/kernels/kernel.js";

const kernel: Kernel<"TILE" | "HAS_BIAS", "width" | "height", "source" | "result", "Element"> = {
  name: "scale",
  uniforms: {
    bytes: 8,
    fields: { width: { offsetBytes: 0, type: "u32", count: 1 }, height: { offsetBytes: 4, type: "u32", count: 1 } },
  },
  bindings: { source: { binding: 1, access: "read" }, result: { binding: 2, access: "read_write" } },
  load: () => Promise.resolve({ default: "" }),
};
const constants = { TILE: 4, HAS_BIAS: false };
const types = { Element: "f32" };
const uniforms = { width: 3, height: 2 };
const bindings = { source: "x", result: "y" } as const;
const workgroups = [1, 1, 1] as const;
const parts = { constants, types, uniforms, bindings, workgroups };

test("names are checked, in literals, in variables and behind spreads", () => {
  const others = { TILES: 4 };
  const shared = { HAS_BIAS: true, RANK: 2 };
  const dispatches = [
    dispatch(kernel, parts),
    dispatch(kernel, { ...parts, constants: { ...constants, HAS_BIAS: true } }),
    // What kernels share, without what this one lacks.
    dispatch(kernel, { ...parts, constants: { TILE: 4, ...without(shared, "RANK") } }),
    // @ts-expect-error -- and nothing that none of them says
    dispatch(kernel, { ...parts, constants: without(shared, "RANK") }),
    // @ts-expect-error -- no such constant
    dispatch(kernel, { ...parts, constants: { TILES: 4, TILE: 4, HAS_BIAS: true } }),
    // @ts-expect-error -- nor in a variable
    dispatch(kernel, { ...parts, constants: others }),
    // @ts-expect-error -- nor behind a spread
    dispatch(kernel, { ...parts, constants: { ...constants, ...others } }),
    // @ts-expect-error -- a constant that is missing, and would keep the file's value
    dispatch(kernel, { ...parts, constants: { TILE: 4 } }),
    // @ts-expect-error -- all of them
    dispatch(kernel, { ...parts, constants: {} }),
    // @ts-expect-error -- no such alias
    dispatch(kernel, { ...parts, types: { ...types, ...{ Source: "f32" } } }),
    // @ts-expect-error -- an alias that is missing
    dispatch(kernel, { ...parts, types: {} }),
    // @ts-expect-error -- all of them
    dispatch(kernel, { constants, uniforms, bindings, workgroups }),
    // @ts-expect-error -- no such field
    dispatch(kernel, { ...parts, uniforms: { ...uniforms, ...{ depth: 1 } } }),
    // @ts-expect-error -- a field that is missing
    dispatch(kernel, { ...parts, uniforms: { width: 3 } }),
    // @ts-expect-error -- no such binding
    dispatch(kernel, { ...parts, bindings: { ...bindings, ...{ bias: "bias" as const } } }),
    // @ts-expect-error -- a binding that is missing
    dispatch(kernel, { ...parts, bindings: { source: "x" } }),
    // @ts-expect-error -- a source that there is not
    dispatch(kernel, { ...parts, bindings: { ...bindings, source: "nothing" } }),
  ];
  // All of the workgroups, from the first on.
  expect(dispatches[0]).toEqual({ kernel, ...parts, uniforms: { ...uniforms, firstWorkgroup: 0 } });
  expect(dispatches[2].constants).toEqual({ TILE: 4, HAS_BIAS: true });
});
