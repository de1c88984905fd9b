/**
 * The folders of src/, from the ground up: each may import those before it in this list, and no other. No file leads back to
 * itself, through types neither.
 */
const FOLDERS = [
  "base",
  "problem",
  "kernels",
  "planning",
  "solvers",
  "backend",
  "reference",
  "cpu",
  "gpu",
  "tensor",
  "calls",
  "tuner",
  "node",
  "api",
];

const ORDER = FOLDERS.slice(0, -1).map((folder, i) => ({
  name: `${folder}-knows-nothing-above-it`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: `^src/((${FOLDERS.slice(i + 1).join("|")})/|[^/]+\\.ts$)` },
}));

/** Siblings at the same height, which could import each other by the order alone. */
const apart = (folder, others) => ({
  name: `${folder}-apart`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: `^src/(${others.join("|")})/` },
});

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    ...ORDER,
    apart("gpu", ["cpu", "reference"]),
    apart("reference", ["kernels", "planning", "solvers", "backend"]),
    { name: "no-circle", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-folder-outside-the-order",
      severity: "error",
      from: { path: "^src/[^/]+/", pathNot: `^src/(${FOLDERS.join("|")})/` },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "\\.wgsl$" },
  },
};
