/** The volumes of a scene side by side: source, filters with the window's sum, result; a row for each source slice. */
import { type ComponentChild, Fragment } from "preact";
import { useMemo, useState } from "preact/hooks";
import { formatNumber } from "../../format.js";
import { Biases, FilterSlices, ResultSlices, SourceSlice, type StageActions } from "./stageVolumes.js";
import { type Place, placeAt, type Scene } from "./scene.js";
import { Terms } from "./terms.js";

export interface StageProps {
  readonly scene: Scene;
  /** Changes with the scene. */
  readonly version: number;
  /** The result that the window is at. */
  readonly at: number;
  /** Results up to this one are shown. */
  readonly grown: number;
  readonly heads: readonly [source: string, filters: string, result: string];
  readonly actions: StageActions;
}

/** A product that is pointed at. */
export interface Pointed {
  readonly sourceSlice: number;
  readonly filterSlice: number;
  readonly tap: number;
}

export function Stage(props: StageProps): ComponentChild {
  const { scene, at, heads } = props;
  const [pointed, setPointed] = useState<Pointed>();
  const place = placeAt(scene, at);
  const rows = scene.source.titles.length;
  // A filter of one slice is applied to every source slice by itself, and stands beside all of them.
  const spans = scene.filters[0].titles.length === 1 && rows > 1;
  const longest = useMemo(() => longestNumber(scene), [scene]);
  const allRows = `1 / span ${String(rows + (scene.biases ? 1 : 0))}`;
  return (
    <section class="stage scroll" aria-label="Volumes" tabIndex={0}>
      <div class="stage-grid" data-extent={extentClass(scene)} style={{ "--longest": String(longest) }}>
        {scene.source.titles.map((_, row) => (
          <Fragment key={row}>
            <div class="stage-source" style={{ gridRow: row + 1 }}>
              {row === 0 ? <h3 class="head-input">{heads[0]}</h3> : null}
              <SourceSlice {...props} place={place} slice={row} pointed={pointed} />
            </div>
            {row === 0 || !spans ? (
              <div class="stage-filters" style={{ gridRow: spans ? allRows : row + 1 }}>
                {row === 0 ? <h3 class="head-filter">{heads[1]}</h3> : null}
                <div class="filter-slices">
                  <FilterSlices {...props} place={place} slice={row} pointed={pointed} />
                </div>
                <SliceTerms {...props} place={place} row={spans ? place.sourceSlices[0] : row} onPoint={setPointed} />
              </div>
            ) : null}
          </Fragment>
        ))}
        {scene.biases ? (
          <div class="stage-filters" style={{ gridRow: rows + 1 }}>
            <div class="filter-slices">
              <Biases {...props} place={place} biases={scene.biases} />
            </div>
          </div>
        ) : null}
        <div class="stage-result" style={{ gridRow: allRows }}>
          <h3 class="head-output">{heads[2]}</h3>
          <ResultSlices {...props} place={place} />
        </div>
      </div>
    </section>
  );
}

/** How large the cells may be, by the widest volume. */
function extentClass({ source, filters, result }: Scene): "small" | "medium" | "large" | "largest" {
  const across = source.width + filters.length * (filters[0].width + 1) + result.width;
  return across <= 24 ? "small" : across <= 34 ? "medium" : across <= 40 ? "large" : "largest";
}

/** Characters of the longest number on the stage. */
function longestNumber({ source, filters, result, extra, biases }: Scene): number {
  const volumes = [source, ...filters, result, ...(extra ? [extra.volume] : [])];
  const all = [...volumes.map(({ values }) => values), ...(biases ? [biases] : [])];
  return Math.max(
    ...all.map((values) => values.reduce((most, value) => Math.max(most, formatNumber(value).length), 1)),
  );
}

function SliceTerms(
  props: StageProps & {
    readonly place: Place;
    readonly row: number;
    readonly onPoint: (pointed: Pointed | undefined) => void;
  },
): ComponentChild {
  const { scene, at, place, row, onPoint } = props;
  const sum = scene.sumsAt(at).find(({ sourceSlice }) => sourceSlice === row);
  if (!sum) return null;
  const title = `${scene.source.titles[row]} · ${scene.filters[place.filter].titles[sum.filterSlice]}`;
  return (
    <Terms
      sum={sum}
      window={scene.window}
      title={title}
      onPoint={(tap) => {
        onPoint(tap === undefined ? undefined : { sourceSlice: row, filterSlice: sum.filterSlice, tap });
      }}
    />
  );
}
