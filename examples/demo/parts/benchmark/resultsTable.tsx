/** The benchmark's results as a table, and as text to be taken along. */
import type { ComponentChild } from "preact";
import { PASS_NAMES } from "./job.js";
import type { PassResult, Results } from "./measure.js";

interface Column {
  readonly title: string;
  readonly text: (pass: PassResult) => string;
}

const milliseconds = (value: number): string => `${value.toPrecision(3)} ms`;

const REFERENCE_COLUMNS: readonly Column[] = [
  { title: "Pass", text: ({ name }) => PASS_NAMES[name] },
  { title: "CPU reference", text: ({ reference }) => milliseconds(reference.milliseconds) },
  { title: "CPU GFLOP/s", text: ({ reference }) => reference.gflops.toPrecision(3) },
];

/** Of what only a device has; empty where there is none. */
const ofDevice = (title: string, text: (device: NonNullable<PassResult["device"]>, pass: PassResult) => string) => ({
  title,
  text: (pass: PassResult) => (pass.device ? text(pass.device, pass) : ""),
});

const DEVICE_COLUMNS: readonly Column[] = [
  ofDevice("Device", ({ milliseconds: own }) => milliseconds(own)),
  ofDevice("Device GFLOP/s", ({ gflops }) => gflops.toPrecision(3)),
  ofDevice("Speed-up", (own, { reference }) => `${(reference.milliseconds / own.milliseconds).toPrecision(3)}×`),
  ofDevice("Largest error", ({ maxError, pass }) => {
    return `${maxError.toExponential(1)}, ${pass ? "within its bound" : "BEYOND ITS BOUND"}`;
  }),
  ofDevice("Solver", ({ solver }) => solver),
];

const columnsOf = ({ passes }: Results): readonly Column[] =>
  passes.some(({ device }) => device) ? [...REFERENCE_COLUMNS, ...DEVICE_COLUMNS] : REFERENCE_COLUMNS;

export const describeRun = ({ adapter, rounds, bytes }: Results): string =>
  `Median of ${String(rounds)} rounds on ${adapter}; ${(bytes / 2 ** 20).toFixed(1)} MiB of device memory in use`;

/** A table for each layer, under its name. */
export function toMarkdown(all: readonly Results[]): string {
  const line = (values: readonly string[]): string => `| ${values.join(" | ")} |`;
  const tables = all.map((results) => {
    const columns = columnsOf(results);
    const head = [line(columns.map(({ title }) => title)), line(columns.map(() => "---"))];
    const rows = results.passes.map((pass) => line(columns.map(({ text }) => text(pass))));
    return [`${results.layer.name}. ${describeRun(results)}.`, "", ...head, ...rows].join("\n");
  });
  return tables.join("\n\n");
}

/** @param results at least one, all with a device or all without */
export function ResultsTable({ results }: { readonly results: readonly Results[] }): ComponentChild {
  const columns = columnsOf(results[0]);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Results">
      <table class="benchmark-table">
        <thead>
          <tr>
            {columns.map(({ title }) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        {results.map(({ layer, passes }, i) => (
          <tbody key={layer.name}>
            <tr class="benchmark-layer">
              <th colSpan={columns.length} scope="rowgroup">
                {results.length > 1 ? `(${String(i + 1)}) ` : ""}
                {layer.name}
              </th>
            </tr>
            {passes.map((pass) => (
              <tr key={pass.name} class="benchmark-pass">
                {columns.map(({ title, text }, column) =>
                  column === 0 ? (
                    <th key={title} scope="row">
                      {text(pass)}
                    </th>
                  ) : (
                    <td key={title}>{text(pass)}</td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}
