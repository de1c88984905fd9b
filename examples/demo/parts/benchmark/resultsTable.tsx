/** The benchmark's results: a table with bars, and as text to be taken along. */
import type { ComponentChild } from "preact";
import { PASS_NAMES } from "./job.js";
import type { PassResult, Results } from "./measure.js";

const milliseconds = (value: number): string => `${value.toPrecision(3)} ms`;
const exponent = (value: number): string => value.toExponential(1);
const speedUp = ({ milliseconds: cpu, deviceMilliseconds }: PassResult): string =>
  `${(cpu / deviceMilliseconds).toPrecision(3)}×`;
const verdict = ({ pass }: PassResult): string => (pass ? "within its bound" : "BEYOND ITS BOUND");

const COLUMNS = ["Pass", "Device", "CPU reference", "Speed-up", "GFLOP/s", "Largest error", "Solver"] as const;

function cells(result: PassResult): readonly string[] {
  return [
    PASS_NAMES[result.name],
    milliseconds(result.deviceMilliseconds),
    milliseconds(result.milliseconds),
    speedUp(result),
    result.gflops.toPrecision(3),
    `${exponent(result.maxError)}, ${verdict(result)}`,
    result.solver,
  ];
}

/** A row for each pass, under the layer's name. */
export function toMarkdown({ layer, adapter, rounds, passes }: Results): string {
  const row = (values: readonly string[]): string => `| ${values.join(" | ")} |`;
  const rule = row(COLUMNS.map(() => "---"));
  const facts = `${layer.name}, ${adapter}, median of ${String(rounds)} rounds`;
  return [facts, "", row(COLUMNS), rule, ...passes.map((result) => row(cells(result)))].join("\n");
}

export function ResultsTable({ results }: { readonly results: Results }): ComponentChild {
  const { passes } = results;
  const longest = Math.max(...passes.flatMap((result) => [result.milliseconds, result.deviceMilliseconds]));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Results">
      <table class="benchmark-table">
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {passes.map((result) => (
            <tr key={result.name}>
              {cells(result).map((text, i) =>
                i === 0 ? (
                  <th key={text} scope="row">
                    {text}
                  </th>
                ) : (
                  <td key={COLUMNS[i]}>
                    {text}
                    {i === 1 ? <Bar share={result.deviceMilliseconds / longest} kind="device" /> : null}
                    {i === 2 ? <Bar share={result.milliseconds / longest} kind="cpu" /> : null}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A time as a length, all on one scale. */
function Bar({ share, kind }: { readonly share: number; readonly kind: "device" | "cpu" }): ComponentChild {
  return <span class={`benchmark-bar benchmark-bar-${kind}`} style={{ width: `${String(100 * share)}%` }} />;
}
