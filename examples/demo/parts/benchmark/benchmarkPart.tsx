/** Benchmark: a layer on the device against the CPU reference, every result checked. */
import "./benchmark.css";
import type { ComponentChild } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button } from "../../controls/button.js";
import { NumberField } from "../../controls/numberField.js";
import { Progress } from "../../controls/progress.js";
import { Select } from "../../controls/select.js";
import { Slider } from "../../controls/slider.js";
import { useEngine } from "../../shell/engineContext.js";
import { useTask } from "../../shell/useTask.js";
import { layerName, LAYERS } from "../../../benchmark/layers.js";
import type { PartProps } from "../part.js";
import { layerOf } from "./job.js";
import { measureLayer, type Results } from "./measure.js";
import { type BenchmarkSchema, OWN, schema } from "./part.js";
import { ResultsTable, toMarkdown } from "./resultsTable.js";

const FIELDS = [
  { name: "C", label: "Input channels C", min: 1, max: 512 },
  { name: "K", label: "Filters K", min: 1, max: 512 },
  { name: "F", label: "Filter extent F", min: 1, max: 11 },
  { name: "W", label: "Height and width W", min: 1, max: 224 },
  { name: "S", label: "Stride S", min: 1, max: 4 },
  { name: "P", label: "Padding P", min: 0, max: 10 },
  { name: "D", label: "Dilation", min: 1, max: 8 },
  { name: "G", label: "Groups", min: 1, max: 512 },
] as const;

export default function BenchmarkPart(props: PartProps<BenchmarkSchema>): ComponentChild {
  const { settings, change } = props;
  const options = [...LAYERS.map(layerName), OWN].map((value) => ({
    value,
    text: value === OWN ? "A layer of your own" : value,
  }));
  return (
    <div class="benchmark-part">
      <section class="panel benchmark-settings" aria-label="Settings">
        <Select
          label="Layer"
          value={settings.layer}
          options={options}
          onChange={(value) => change({ layer: schema.layer.parse(value) })}
        />
        <Slider
          label="Rounds"
          value={settings.rounds}
          min={3}
          max={31}
          step={2}
          onChange={(rounds) => change({ rounds })}
        />
        {settings.layer === OWN
          ? FIELDS.map(({ name, label, min, max }) => (
              <NumberField
                key={name}
                label={label}
                value={settings[name]}
                min={min}
                max={max}
                onChange={(value) => change({ [name]: value })}
              />
            ))
          : null}
      </section>
      <Measured key={JSON.stringify(layerOf(settings))} {...props} />
    </div>
  );
}

/** The button, and the results of one choice of layer: another starts empty. */
function Measured({ settings }: PartProps<BenchmarkSchema>): ComponentChild {
  const { engine, active } = useEngine();
  const task = useTask();
  const [results, setResults] = useState<Results>();
  useEffect(() => {
    if (!active) task.cancel();
  }, [active]);
  const run = (): void =>
    task.start(async (controls) => {
      setResults(undefined);
      setResults(await measureLayer(engine, layerOf(settings), settings.rounds, controls));
    });
  return (
    <section class="panel" aria-label="Times">
      <h2>{layerOf(settings).name}</h2>
      <p class="muted">
        Forward pass and both gradients, batch 1, on this device and by the float64 reference on the CPU, in a worker.
        Each result must lie within a derived bound of the reference's.
      </p>
      <div class="benchmark-actions">
        <Button onPress={run} disabled={task.state.running}>
          Run
        </Button>
        <Progress task={task} label="Running" />
      </div>
      {results ? <Found results={results} /> : null}
    </section>
  );
}

function Found({ results }: { readonly results: Results }): ComponentChild {
  const { adapter, rounds, bytes } = results;
  return (
    <>
      <ResultsTable results={results} />
      <p class="small muted" role="status">
        {`Median of ${String(rounds)} rounds on ${adapter}; ${(bytes / 2 ** 20).toFixed(1)} MiB of device memory in use.`}
      </p>
      <div class="benchmark-actions">
        <Copy label="Copy as Markdown" text={toMarkdown(results)} />
        <Copy label="Copy as JSON" text={JSON.stringify(results, undefined, 2)} />
        <Copy label="Copy the link" text={location.href} />
      </div>
    </>
  );
}

/** Copies; where the browser forbids that, shows the text to be copied by hand. */
function Copy({ label, text }: { readonly label: string; readonly text: string }): ComponentChild {
  const [state, setState] = useState<"idle" | "copied" | "shown">("idle");
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setState("copied"),
      () => setState("shown"),
    );
  };
  return (
    <span class="benchmark-copy">
      <Button kind="secondary" onPress={copy}>
        {label}
      </Button>
      <span role="status">{state === "copied" ? "Copied" : ""}</span>
      {state === "shown" ? <textarea readOnly aria-label={label} value={text} /> : null}
    </span>
  );
}
