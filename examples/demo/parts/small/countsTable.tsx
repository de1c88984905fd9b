/** Stacks side by side: what the formulas count, and what was measured. */
import type { ComponentChild } from "preact";
import { significant } from "../../../benchmark/format.js";
import { formatBytes, formatCount, formatMilliseconds, formatRatio } from "../../format.js";
import type { Times } from "./measure.js";
import type { Counts, Stack } from "./stacks.js";

interface Row {
  readonly name: string;
  readonly values: readonly number[] | undefined;
  readonly format: (value: number) => string;
  readonly note?: (stack: number) => string;
}

export function CountsTable(props: {
  readonly stacks: readonly Stack[];
  readonly counts: readonly Counts[];
  readonly measured: Times | undefined;
}): ComponentChild {
  const { stacks, counts, measured } = props;
  const rows: Row[] = [
    {
      name: "Weights",
      values: counts.map(({ weights }) => weights),
      format: formatCount,
      note: (stack) => counts[stack].formula,
    },
    { name: "Multiply-adds, forward", values: counts.map((count) => count.multiplyAdds), format: formatCount },
    {
      name: "Memory read and written",
      values: counts.map(({ bytes }) => bytes),
      format: formatBytes,
    },
    {
      name: "Forward, measured",
      values: measured?.stacks.map(({ forward }) => forward),
      format: formatMilliseconds,
      note: (stack) => {
        const spread = measured?.stacks[stack].spread;
        return spread ? `${significant(spread[0])} to ${formatMilliseconds(spread[1])}` : "";
      },
    },
    {
      name: "Forward and backward, measured",
      values: measured?.stacks.map(({ both }) => both),
      format: formatMilliseconds,
    },
  ];
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Comparison">
        <table class="counts number">
          <thead>
            <tr>
              <td />
              {stacks.map(({ name }) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">Receptive field</th>
              {counts.map(({ receptiveField }, i) => (
                <td key={stacks[i].name}>
                  <span class="counts-value">
                    {receptiveField} × {receptiveField}
                  </span>
                </td>
              ))}
            </tr>
            {rows.map((row) => (
              <CountsRow key={row.name} row={row} stacks={stacks} />
            ))}
          </tbody>
        </table>
      </div>
      <p class="small muted">× is over {stacks[0].name}. Biases are left out.</p>
    </>
  );
}

function CountsRow({ row, stacks }: { readonly row: Row; readonly stacks: readonly Stack[] }): ComponentChild {
  const { name, values, format, note } = row;
  const most = Math.max(...(values ?? [1]));
  return (
    <tr>
      <th scope="row">{name}</th>
      {stacks.map((stack, i) => (
        <td key={stack.name}>
          {values ? (
            <>
              <span class="counts-value">{format(values[i])}</span>
              {i > 0 ? <span class="muted small"> {formatRatio(values[i] / values[0])}</span> : null}
              <span class="bar" style={{ width: `${String((100 * values[i]) / most)}%` }} />
              {note ? <span class="counts-note">{note(i)}</span> : null}
            </>
          ) : (
            <span class="muted">not yet</span>
          )}
        </td>
      ))}
    </tr>
  );
}
