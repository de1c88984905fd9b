/** The benchmark's results as a table, and as text to be taken along. */
import type { ComponentChild } from "preact";
import { percent, significant } from "../../../benchmark/format.js";
import { formatBytes, formatError, formatMilliseconds, formatRatio, plural } from "../../format.js";
import { clockWords, ROUND_WORDS } from "../deviceSamples.js";
import { PASS_NAMES } from "./job.js";
import type { DeviceResult, PassResult, Results } from "./measure.js";

interface Column {
  readonly title: string;
  readonly text: (pass: PassResult, results: Results) => string;
}

const REFERENCE_COLUMNS: readonly Column[] = [
  { title: "Pass", text: ({ name }) => PASS_NAMES[name] },
  { title: "CPU reference", text: ({ reference }) => formatMilliseconds(reference.milliseconds) },
  { title: "CPU GFLOP/s", text: ({ reference }) => significant(reference.gflops) },
];

/** Of what only a device has; empty where there is none. */
const ofDevice = (
  title: string,
  text: (device: DeviceResult, pass: PassResult, results: Results) => string,
): Column => ({
  title,
  text: (pass, results) => (pass.device ? text(pass.device, pass, results) : ""),
});

const DEVICE_COLUMNS: readonly Column[] = [
  ofDevice("Device", ({ milliseconds }) => formatMilliseconds(milliseconds)),
  ofDevice("Device GFLOP/s", ({ gflops }) => significant(gflops)),
  ofDevice("Of its peak", ({ gflops }, _, { peak = NaN }) => percent(gflops / peak)),
  ofDevice("Over the reference", (own, { reference }) => formatRatio(reference.milliseconds / own.milliseconds)),
  ofDevice("Largest error", ({ maxError, pass }) => {
    return `${formatError(maxError)}, ${pass ? "within its bound" : "BEYOND ITS BOUND"}`;
  }),
  ofDevice("Solver", ({ solver }) => solver),
];

const columnsOf = ({ peak }: Results): readonly Column[] =>
  peak === undefined ? REFERENCE_COLUMNS : [...REFERENCE_COLUMNS, ...DEVICE_COLUMNS];

/** How a layer was timed, without a full stop. */
export function describeRun({ adapter, rounds, bytes, peak, passes }: Results): string {
  const onCpu = passes.map(({ reference }) => reference.samplesMs.length);
  const [fewest, most] = [Math.min(...onCpu), Math.max(...onCpu)];
  const ofReference = `${fewest === most ? "" : `${String(fewest)} to `}${plural(most, "round")}`;
  if (peak === undefined) return `Median of ${ofReference}, ${ROUND_WORDS}, by the wall clock`;
  const clock = passes.some(({ device }) => device?.clock === "wall-clock") ? "wall-clock" : "timestamp";
  return [
    `Median of ${plural(rounds, "round")} on ${adapter}, ${ROUND_WORDS}, by ${clockWords(clock)}`,
    `${ofReference} of the reference, by the wall clock`,
    `the device's peak, measured: ${significant(peak)} GFLOP/s of float32 multiply-adds`,
    `${formatBytes(bytes)} of device memory in use`,
  ].join("; ");
}

/** A table for each layer, under its name. */
export function toMarkdown(all: readonly Results[]): string {
  const line = (values: readonly string[]): string => `| ${values.join(" | ")} |`;
  const tables = all.map((results) => {
    const columns = columnsOf(results);
    const head = [line(columns.map(({ title }) => title)), line(columns.map(() => "---"))];
    const rows = results.passes.map((pass) => line(columns.map(({ text }) => text(pass, results))));
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
        {results.map((found, i) => (
          <tbody key={found.layer.name}>
            <tr class="benchmark-layer">
              <th colSpan={columns.length} scope="rowgroup">
                {results.length > 1 ? `(${String(i + 1)}) ` : ""}
                {found.layer.name}
              </th>
            </tr>
            {found.passes.map((pass) => (
              <tr key={pass.name} class="benchmark-pass">
                {columns.map(({ title, text }, column) =>
                  column === 0 ? (
                    <th key={title} scope="row">
                      {text(pass, found)}
                    </th>
                  ) : (
                    <td key={title}>{text(pass, found)}</td>
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
