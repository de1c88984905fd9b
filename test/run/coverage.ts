/** `npm run coverage`: writes docs/coverage.md from the latest whole run of each device. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { DOCUMENT, KEPT_FOLDER, readCoverages } from "./coverageFiles.js";
import { formatCoverage, parseCoverage } from "./coverageTable.js";

const coverages = readCoverages(KEPT_FOLDER);
if (coverages.length === 0) throw new Error(`${KEPT_FOLDER} has no coverage; run npm test -- --all first`);
const before = existsSync(DOCUMENT) ? parseCoverage(readFileSync(DOCUMENT, "utf8")) : new Map<string, Set<string>>();
for (const { device, tests, cells, complete } of coverages) {
  console.log(
    `${device}: ${String(cells.length)} cells by ${String(tests)} tests${complete ? "" : " (tests failed or were skipped)"}`,
  );
  before.delete(device);
}
for (const device of before.keys()) console.log(`NO LONGER LISTED, since it was not run: ${device}`);
const options = await resolveConfig(DOCUMENT);
writeFileSync(DOCUMENT, await format(formatCoverage(coverages), { ...options, filepath: DOCUMENT }));
