/** docs/coverage.md: written from what tests covered, and read back to see whether they still do. */

/** What the tests of one run covered on one device. */
export interface DeviceCoverage {
  readonly device: string;
  /** Tests that passed and read a convolution's result back. */
  readonly tests: number;
  /** Whether no test of the run failed or was skipped, but for those that were left to another platform or run. */
  readonly complete: boolean;
  /** Each `operation|variant|feature`, as test/support/features.ts names them. */
  readonly cells: readonly string[];
}

const INTRODUCTION = `# What the tests cover

Made by \`npm run coverage\` from what the tests ran, not by hand. To make it anew:

\`\`\`sh
npm run test:browser -- --all && npm run test:swiftshader -- --all && npm run test:lavapipe -- --all
npm run test:deno -- --all && npm run coverage
\`\`\`

A device's letter in a cell says: at least one test that passed on this device called the operation (Nd: 1d, 2d or 3d) in
the form of that row and column, and read its result back. That it also compared the result is not recorded; comparing is
what these tests do with what they read: with the float64 reference, third-party vectors or the adjoint, to the bit or
within a derived bound. Each row is looked at alone: two letters in a column are no claim about two features in one call,
for which there are the random layers of test/properties. An empty cell is not tested, or not possible (a transposed
convolution has no padding mode, a bias gradient no stride). \`npm test -- --all\` fails when something that is listed here
for a device is no longer covered there. In it Node and Chromium take turns on their driver, and what one of them covers counts
for both; each is held to this document alone by \`npm run test:swiftshader -- --all\` and \`npm run test:browser -- --all\`. Deno and
Firefox (both wgpu) run a sample, of which nothing is recorded. They are held to it by \`npm run test:deno -- --all\` and
\`npm run test:firefox -- --all\`, and have a letter where that was run before it was made.
`;

const RANKS = ["1D", "2D", "3D"];
const DTYPES = ["float32", "float16"];
const LAYOUTS = ["channels-first", "channels-last"];
const VARIANTS = RANKS.flatMap((rank) =>
  DTYPES.flatMap((dtype) => LAYOUTS.map((layout) => `${rank} ${dtype} ${layout}`)),
);

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
const unique = (values: readonly string[]): string[] => [...new Set(values)].sort();

/** One table: features by variants. */
function operationTable(operation: string, marked: readonly { mark: string; cells: ReadonlySet<string> }[]): string {
  const all = marked.flatMap(({ cells }) => [...cells].filter((cell) => cell.startsWith(`${operation}|`)));
  const ranks = RANKS.filter((rank) => all.some((cell) => cell.startsWith(`${operation}|${rank}`)));
  const variants = VARIANTS.filter((variant) => ranks.some((rank) => variant.startsWith(rank)));
  const rows = unique(all.map((cell) => cell.split("|")[2])).map((feature) => {
    const cells = variants.map((variant) => {
      return marked.flatMap(({ mark, cells }) => (cells.has(`${operation}|${variant}|${feature}`) ? [mark] : []));
    });
    return [feature, ...cells.map((marks) => marks.join(""))];
  });
  return `## ${operation}\n\n${table(["feature", ...variants], rows)}\n`;
}

/** The document for these devices. */
export function formatCoverage(coverages: readonly DeviceCoverage[]): string {
  const sorted = [...coverages].sort((a, b) => (a.device < b.device ? -1 : 1));
  const marked = sorted.map(({ device, tests, cells }, i) => {
    return { mark: String.fromCharCode("A".charCodeAt(0) + i), device, tests, cells: new Set(cells) };
  });
  const legend = table(
    ["mark", "device", "tests"],
    marked.map(({ mark, device, tests }) => [mark, device, String(tests)]),
  );
  const operations = unique(sorted.flatMap(({ cells }) => cells.map((cell) => cell.split("|")[0])));
  const tables = operations.map((operation) => operationTable(operation, marked));
  return [`${INTRODUCTION}\n${legend}\n`, ...tables].join("\n");
}

const readRow = (line: string): string[] =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

/** The cells that a document lists, by device. */
export function parseCoverage(text: string): Map<string, Set<string>> {
  const devices = new Map<string, string>();
  const covered = new Map<string, Set<string>>();
  let operation = "";
  let head: readonly string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) operation = line.slice(3).trim();
    if (!line.startsWith("|") || /^[|\s-]+$/.test(line)) continue;
    const [first, ...cells] = readRow(line);
    if (first === "mark" || first === "feature") head = cells;
    else if (operation === "") devices.set(first, cells[0]);
    else {
      for (const [i, marks] of cells.entries()) {
        for (const mark of marks) {
          const device = devices.get(mark) ?? mark;
          covered.set(device, (covered.get(device) ?? new Set()).add(`${operation}|${head[i]}|${first}`));
        }
      }
    }
  }
  return covered;
}

/** Dawn's, or wgpu's, with its driver: "(Dawn) on SwiftShader, float16 as packed pairs". */
const implementationOf = (device: string): string => device.slice(device.indexOf("("));

/** What a document lists for a device, and neither its tests cover any longer nor those of a platform with which they take turns. */
export function lostCells(
  text: string,
  { device, cells }: DeviceCoverage,
  others: readonly DeviceCoverage[] = [],
): string[] {
  const alike = others.filter((other) => implementationOf(other.device) === implementationOf(device));
  const now = new Set([...cells, ...alike.flatMap((other) => other.cells)]);
  return [...(parseCoverage(text).get(device) ?? [])].filter((cell) => !now.has(cell));
}
