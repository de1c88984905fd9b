/**
 * Vite plugin: says of what modules compute while they load that a bundler may leave it out. The package promises that loading
 * a module has no effects (`sideEffects` in package.json), and a bundler holds it to that file by file. Here a file is many
 * modules, of which a page uses some. Their functions go by themselves where nothing uses them; a call, or `...`, might have effects.
 */
import type { ESTree, Plugin } from "vite";

/** Nodes that run later, or never: what is called in them is not called when the module loads. */
const LATER: ReadonlySet<string> = new Set(["FunctionExpression", "ArrowFunctionExpression", "ClassBody"]);
const EFFECTS: ReadonlySet<string> = new Set(["CallExpression", "NewExpression", "SpreadElement"]);

const isNode = (value: unknown): value is ESTree.Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";

/** Whether a bundler must think that an expression does more than to give a value. */
function mayHaveEffects(node: ESTree.Node): boolean {
  if (EFFECTS.has(node.type)) return true;
  return !LATER.has(node.type) && Object.values(node).flat().filter(isNode).some(mayHaveEffects);
}

/** The module with the values of its variables wrapped in calls that are marked as pure. Lines stay where they are. */
export function markValues(code: string, program: ESTree.Program): string {
  const values = program.body
    .map((statement) => (statement.type === "ExportNamedDeclaration" ? statement.declaration : statement))
    .flatMap((declaration) => (declaration?.type === "VariableDeclaration" ? declaration.declarations : []))
    .flatMap(({ init }) => (init && mayHaveEffects(init) ? init : []));
  return values.reduceRight((text, { start, end }) => {
    return `${text.slice(0, start)}/* @__PURE__ */ (() => (${text.slice(start, end)}))()${text.slice(end)}`;
  }, code);
}

export function pureModules(): Plugin {
  return {
    name: "webgpu-conv:pureModules",
    apply: "build",
    enforce: "post",
    transform(code, id) {
      return /\/src\/.*\.ts$/.test(id) ? { code: markValues(code, this.parse(code)), map: null } : undefined;
    },
  };
}
