/** Activation maps, live: a picture or the camera through a first layer of filters. */
import "./maps.css";
import type { ComponentChild } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Button } from "../../controls/button.js";
import { NumberField } from "../../controls/numberField.js";
import { Select } from "../../controls/select.js";
import { Slider } from "../../controls/slider.js";
import { useEngine } from "../../shell/engineContext.js";
import { describeError } from "../../shell/useTask.js";
import { toEdit } from "../../settings/schema.js";
import type { PartProps } from "../part.js";
import { type Bank, chooseBank, contributionsAt, drawnTaps, EXTENT } from "./filters.js";
import { Cells, MapView, type Place } from "./mapView.js";
import { type MapsSchema, TAP_RANGE } from "./part.js";
import { PICTURE_SIZE, readPicture, sizeOf, snapshot, type Source } from "./pictures.js";
import { readOut } from "./readout.js";
import { useMaps, useSource } from "./useMaps.js";

export default function MapsPart({ settings, change }: PartProps<MapsSchema>): ComponentChild {
  const { gpu } = useEngine();
  const { filters, K, seed, taps } = settings;
  const bank = useMemo(() => chooseBank(settings), [filters, K, seed, taps]);
  const [picture, setPicture] = useState<ImageData>();
  const [problem, setProblem] = useState("");
  const [place, setPlace] = useState<Place>();
  const source = useSource(settings.source === "camera" && gpu, picture, setProblem);
  const canvases = useRef<(HTMLCanvasElement | null)[]>([]);
  const pace = useMaps(bank, source, canvases);
  // What is being read, until the visitor chooses something else.
  const chosen = useRef<object>();
  const take = (file: Blob | null | undefined): void => {
    if (!file) return;
    chosen.current = file;
    readPicture(file).then(
      (read) => {
        if (chosen.current !== file) return;
        setProblem("");
        setPicture(read);
        change({ source: "picture" });
      },
      (error: unknown) => {
        if (chosen.current !== file) return;
        setProblem(`This is no picture that the browser can read: ${describeError(error)}`);
      },
    );
  };
  useEffect(() => () => void (chosen.current = undefined), []);
  return (
    <div
      class="maps-part"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        take(event.dataTransfer?.files[0]);
      }}
    >
      <section class="panel settings-grid" aria-label="Settings">
        <Select
          label="Source"
          value={gpu ? settings.source : "picture"}
          options={[
            { value: "picture", text: "A picture" },
            { value: "camera", text: gpu ? "Your camera" : "Your camera (needs WebGPU)" },
          ]}
          onChange={(value) => {
            chosen.current = undefined;
            setProblem("");
            change({ source: value });
          }}
          disabled={!gpu}
        />
        <div class="field">
          <div class="field-head">
            <label htmlFor="maps-file">Picture of your own, or drop one anywhere here</label>
          </div>
          <input
            id="maps-file"
            type="file"
            accept="image/*"
            onChange={(event) => take(event.currentTarget.files?.[0])}
          />
        </div>
        <Select
          label="Filters"
          value={filters}
          options={[
            { value: "bank", text: "A bank of classical filters" },
            { value: "random", text: "Random" },
            { value: "drawn", text: "Drawn by hand" },
          ]}
          onChange={(value) => change({ filters: value })}
        />
        {filters === "random" ? (
          <>
            <Slider label="Filters" symbol="K" value={K} min={1} max={16} onChange={(value) => change({ K: value })} />
            <Button kind="secondary" onPress={() => change({ seed: (seed % 9999) + 1 })}>
              Others
            </Button>
          </>
        ) : null}
      </section>
      {filters === "drawn" ? <TapGrid settings={settings} change={change} /> : null}
      {problem === "" ? null : (
        <p class="progress-error" role="alert">
          {problem}
        </p>
      )}
      <p class="small muted" role="status">
        {pace}
      </p>
      <Inspected bank={bank} place={place} source={source} />
      <section class="maps-grid" aria-label="Maps">
        {bank.names.map((name, filter) => (
          <MapView
            key={name}
            bank={bank}
            filter={filter}
            size={source ? sizeOf(source) : PICTURE_SIZE}
            place={place}
            onPlace={setPlace}
            canvasRef={(canvas) => void (canvases.current[filter] = canvas)}
          />
        ))}
      </section>
    </div>
  );
}

/** The filter drawn by hand: 5 x 5 numbers. */
function TapGrid({ settings, change }: Pick<PartProps<MapsSchema>, "settings" | "change">): ComponentChild {
  const taps = drawnTaps(settings.taps);
  return (
    <section class="panel" aria-label="Filter drawn by hand">
      <div class="maps-taps">
        {taps.map((tap, i) => (
          <NumberField
            key={i}
            hiddenLabel
            label={`Row ${String(Math.floor(i / EXTENT) + 1)}, column ${String((i % EXTENT) + 1)}`}
            value={tap}
            min={TAP_RANGE[0]}
            max={TAP_RANGE[1]}
            step="any"
            onChange={(value) => change({ taps: new Map([...settings.taps, [i, toEdit(value, TAP_RANGE)]]) })}
          />
        ))}
      </div>
    </section>
  );
}

/** What each part of the filter adds at the place pointed at. */
function Inspected(props: {
  readonly bank: Bank;
  readonly place: Place | undefined;
  readonly source: Source | undefined;
}): ComponentChild {
  const { bank, place, source } = props;
  if (!place || !source || place.filter >= bank.names.length) {
    return <p class="small muted">Point at a map to see which part of its filter fires there.</p>;
  }
  const pixels = source instanceof ImageData ? source : snapshot(source);
  // The place may be of a larger source that was there before.
  if (place.x >= pixels.width || place.y >= pixels.height) return null;
  const parts = contributionsAt(bank, place.filter, pixels, place.x, place.y);
  const { answer, origin } = readOut(bank, place.filter, parts);
  return (
    <p class="maps-inspected" role="status">
      <Cells values={parts} />
      <span>
        <strong>{bank.names[place.filter]}</strong> at ({place.x}, {place.y}): <span class="number">{answer}</span>.{" "}
        {origin}
      </span>
    </p>
  );
}
