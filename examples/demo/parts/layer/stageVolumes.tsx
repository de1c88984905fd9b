/** The volumes of the stage, slice by slice. */
import type { ComponentChild } from "preact";
import type { Origin, Place, Volume } from "./scene.js";
import { indexOf } from "./scene.js";
import { TitledSlice } from "./slice.js";
import type { Pointed, StageProps } from "./stage.js";
import { WindowFrame } from "./windowFrame.js";

/** What can be done on the stage. All of them stay the same from drawing to drawing. */
export interface StageActions {
  /** Moves the window to a result. */
  readonly goTo: (at: number) => void;
  /** Changes one of the layer's own numbers. */
  readonly edit: (origin: Origin, value: number) => void;
}

type VolumeProps = StageProps & { readonly place: Place };

const valueIn = ({ values, height, width }: Volume, slice: number, row: number, column: number): number =>
  values[(slice * height + row) * width + column];

/** What a slice of numbers needs; its cells can be changed where they are the layer's own. */
function numbers({ version, actions }: VolumeProps, volume: Volume, slice: number) {
  return {
    title: volume.titles[slice],
    height: volume.height,
    width: volume.width,
    version,
    valueAt: (row: number, column: number) => valueIn(volume, slice, row, column),
    kindAt: (row: number, column: number) => (volume.originOf(slice, row, column) ? "own" : "padding"),
    onEdit: (row: number, column: number, value: number) => {
      const origin = volume.originOf(slice, row, column);
      if (origin) actions.edit(origin, value);
    },
  };
}

/** A frame around one cell. */
function Mark({ row, column, kind }: { readonly row: number; readonly column: number; readonly kind: string }) {
  const cells = (count: number): string => `calc(var(--cell) * ${String(count)})`;
  return <span class={`mark mark-${kind}`} style={{ top: cells(row), left: cells(column) }} />;
}

export function SourceSlice(
  props: VolumeProps & { readonly slice: number; readonly pointed: Pointed | undefined },
): ComponentChild {
  const { scene, at, place, slice, pointed, actions } = props;
  const { source, window, result } = scene;
  const used = place.sourceSlices.includes(slice);
  const resultSlice = Math.floor(at / (result.height * result.width));
  const shown = numbers(props, source, slice);
  const tap = pointed?.sourceSlice === slice ? pointed.tap : undefined;
  return (
    <TitledSlice role="input" {...shown} marked={used}>
      {used ? (
        <WindowFrame
          window={window}
          row={place.row}
          column={place.column}
          rows={result.height}
          columns={result.width}
          focusable={slice === place.sourceSlices[0]}
          place={`${result.titles[resultSlice]}, row ${String(place.row)}, column ${String(place.column)}`}
          onMove={(row, column) => actions.goTo(indexOf(scene, resultSlice, row, column))}
        />
      ) : null}
      {tap === undefined ? null : (
        <Mark
          row={place.row * window.stride + Math.floor(tap / window.width) * window.dilation}
          column={place.column * window.stride + (tap % window.width) * window.dilation}
          kind="pointed"
        />
      )}
    </TitledSlice>
  );
}

export function FilterSlices(
  props: VolumeProps & { readonly slice: number; readonly pointed: Pointed | undefined },
): ComponentChild {
  const { scene, place, slice, pointed } = props;
  return scene.filters.map((filter, k) => {
    const current = k === place.filter;
    const marksTap = current && pointed?.filterSlice === slice;
    return (
      <TitledSlice key={k} role="filter" {...numbers(props, filter, slice)} marked={current}>
        {marksTap ? (
          <Mark row={Math.floor(pointed.tap / filter.width)} column={pointed.tap % filter.width} kind="pointed" />
        ) : null}
      </TitledSlice>
    );
  });
}

export function Biases(props: VolumeProps & { readonly biases: Float32Array }): ComponentChild {
  const { place, biases, version, actions } = props;
  return [...biases].map((bias, k) => (
    <TitledSlice
      key={k}
      role="filter"
      title={`b[${String(k)}]`}
      height={1}
      width={1}
      version={version}
      valueAt={() => bias}
      kindAt={() => "own"}
      onEdit={(_row, _column, value) => actions.edit({ name: "b", place: [k] }, value)}
      marked={k === place.filter}
    />
  ));
}

export function ResultSlices(props: VolumeProps): ComponentChild {
  const { scene, at, grown, version, place, actions } = props;
  const { result, extra, resultColumns } = scene;
  const positions = result.height * result.width;
  const resultSlice = Math.floor(at / positions);
  const perColumn = result.titles.length / resultColumns;
  return (
    <>
      <div class="result-slices" style={{ gridTemplateRows: `repeat(${String(perColumn)}, max-content)` }}>
        {result.titles.map((title, slice) => {
          const seen = Math.min(positions, Math.max(0, grown + 1 - slice * positions));
          return (
            <TitledSlice
              key={slice}
              role="output"
              title={title}
              height={result.height}
              width={result.width}
              version={`${String(version)} ${String(seen)}`}
              valueAt={(row, column) => valueIn(result, slice, row, column)}
              kindAt={(row, column) => (row * result.width + column < seen ? "result" : "unseen")}
              onPick={(row, column) => actions.goTo(indexOf(scene, slice, row, column))}
              marked={slice === resultSlice}
            >
              {slice === resultSlice ? <Mark row={place.row} column={place.column} kind="current" /> : null}
            </TitledSlice>
          );
        })}
      </div>
      {extra ? (
        <div class="extra">
          <p>{extra.text}</p>
          {extra.volume.titles.map((title, slice) => (
            <TitledSlice
              key={slice}
              role="output"
              title={title}
              height={extra.volume.height}
              width={extra.volume.width}
              version={version}
              valueAt={(row, column) => valueIn(extra.volume, slice, row, column)}
              kindAt={() => "result"}
            />
          ))}
        </div>
      ) : null}
    </>
  );
}
