/** In which order the build puts what an entry loads at once. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { byFolders, loadedInOrder } from "../../build/moduleOrder.js";

const SOURCES = {
  "index.ts": [
    'export {\n  list,\n  type Item,\n} from "./solvers/list.js";',
    'export type { Late } from "./late.js";',
    'export * from "./base/errors.js";',
    'const later = () => import("./late.js");',
  ],
  "late.ts": ['import { item } from "./base/unused.js";'],
  "base/errors.ts": [],
  "base/unused.ts": [],
  "solvers/list.ts": [
    'import { direct } from "./direct/direct.js";',
    'import winograd from "./winograd/winograd.js";',
    'import { type Late, type Other } from "../late.js";',
    'import "./direct/gradient.js";',
    'import kernel from "../../shaders/direct.wgsl";',
  ],
  "solvers/direct/direct.ts": ['import { a, type B } from "../../base/errors.js";'],
  "solvers/direct/gradient.ts": ['import { direct } from "./direct.js";'],
  "solvers/winograd/winograd.ts": [],
};

function written(): string {
  const root = mkdtempSync(join(tmpdir(), "webgpu-conv-order-"));
  onTestFinished(() => {
    rmSync(root, { recursive: true });
  });
  for (const folder of ["base", "solvers/direct", "solvers/winograd"])
    mkdirSync(join(root, folder), { recursive: true });
  for (const [file, lines] of Object.entries(SOURCES)) writeFileSync(join(root, file), lines.join("\n"));
  return root;
}

test("an entry loads its imports before itself, and neither types nor what is imported late", () => {
  const root = written();
  expect(loadedInOrder(join(root, "index.ts"))).toEqual(
    [
      "base/errors.ts",
      "solvers/direct/direct.ts",
      "solvers/winograd/winograd.ts",
      "solvers/direct/gradient.ts",
      "solvers/list.ts",
      "index.ts",
    ].map((file) => join(root, file)),
  );
});

test("families lie together, in the order of their first modules, and lists of them behind them", () => {
  const files = [
    "b/x.ts",
    "s/list.ts",
    "s/one/a.ts",
    "s/two/a.ts",
    "b/y.ts",
    "s/one/b.ts",
    "index.ts",
    "s/one/in/c.ts",
  ];
  const inOrder = [
    "b/x.ts",
    "b/y.ts",
    "s/one/a.ts",
    "s/one/b.ts",
    "s/one/in/c.ts",
    "s/two/a.ts",
    "s/list.ts",
    "index.ts",
  ];
  expect(
    byFolders(
      "/src",
      files.map((file) => `/src/${file}`),
    ),
  ).toEqual(inOrder.map((file) => `/src/${file}`));
});
