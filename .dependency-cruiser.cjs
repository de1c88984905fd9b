/**
 * The folders of src/, from the ground up: each may import those before it in this list, and no others. No file leads back to
 * itself, not even through types.
 */
const FOLDERS = [
  "base",
  "problem",
  "kernels",
  "planning",
  "solvers",
  "pieces",
  "backend",
  "reference",
  "cpu",
  "gpu",
  "vetting",
  "recovery",
  "tensor",
  "calls",
  "tuner",
  "tiled",
  "node",
  "api",
  "io",
  "nn",
];

const ORDER = FOLDERS.slice(0, -1).map((folder, i) => ({
  name: `${folder}-knows-nothing-above-it`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: `^src/((${FOLDERS.slice(i + 1).join("|")})/|[^/]+\\.ts$)` },
}));

/** Likewise the folders of src/gpu/, and the files beside them. */
const GPU_FOLDERS = ["device", "pipelines", "recording"];

const GPU_ORDER = GPU_FOLDERS.map((folder, i) => ({
  name: `gpu-${folder}-knows-nothing-above-it`,
  severity: "error",
  from: { path: `^src/gpu/${folder}/` },
  to: { path: `^src/gpu/((${[...GPU_FOLDERS.slice(i + 1), "-"].join("|")})/|[^/]+\\.ts$)` },
}));

/** Siblings at the same height, which could import each other by the order alone. */
const separate = (folder, others) => ({
  name: `${folder}-separate`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: `^src/(${others.join("|")})/` },
});

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    ...ORDER,
    ...GPU_ORDER,
    separate("gpu", ["cpu", "reference"]),
    separate("reference", ["kernels", "planning", "solvers", "backend"]),
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
