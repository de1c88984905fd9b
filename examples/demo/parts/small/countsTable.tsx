/** Stacks side by side: what the formulas count, and what was measured. */
import type { ComponentChild } from "preact";
import type { Times } from "./measure.js";
import type { Counts, Stack } from "./stacks.js";

const grouped = (value: number): string => Math.round(value).toLocaleString("en");
const milliseconds = (value: number): string => `${value.toPrecision(3)} ms`;
const times = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)}×`;

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
      format: grouped,
      note: (stack) => counts[stack].formula,
    },
    { name: "Multiply-adds, forward", values: counts.map((count) => count.multiplyAdds), format: grouped },
    {
      name: "Memory read and written",
      values: counts.map(({ bytes }) => bytes),
      format: (value) => `${(value / 1e6).toFixed(2)} MB`,
    },
    {
      name: "Forward, measured",
      values: measured?.stacks.map(({ forward }) => forward),
      format: milliseconds,
      note: (stack) => {
        const spread = measured?.stacks[stack].spread;
        return spread ? `${spread[0].toPrecision(3)} to ${milliseconds(spread[1])}` : "";
      },
    },
    {
      name: "Forward and backward, measured",
      values: measured?.stacks.map(({ both }) => both),
      format: milliseconds,
    },
  ];
  return (
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
              {i > 0 ? <span class="muted small"> {times(values[i] / values[0])}</span> : null}
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
