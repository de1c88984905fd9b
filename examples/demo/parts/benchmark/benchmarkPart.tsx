/** Benchmark: a layer on the device against the CPU reference, every result checked. */
import "./benchmark.css";
import type { ComponentChild } from "preact";
import { useRef, useState } from "preact/hooks";
import { Button } from "../../controls/button.js";
import { Copy } from "../../controls/copy.js";
import { NumberField } from "../../controls/numberField.js";
import { Progress } from "../../controls/progress.js";
import { Select } from "../../controls/select.js";
import { RoundsSlider } from "../../controls/roundsSlider.js";
import { useEngine } from "../../shell/engineContext.js";
import { type TaskControls, useTask } from "../../shell/useTask.js";
import { layerName, LAYERS } from "../../../benchmark/layers.js";
import type { PartProps } from "../part.js";
import { layerOf, type NamedLayer, TYPICAL_LAYERS } from "./job.js";
import { measureLayer, measurePeak, requireLayer, type Results } from "./measure.js";
import { type BenchmarkSchema, OWN, schema } from "./part.js";
import { describeRun, ResultsTable, toMarkdown } from "./resultsTable.js";
import { SpeedChart } from "./speedChart.js";

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
      <section class="panel settings-grid" aria-label="Settings">
        <Select
          label="Layer"
          value={settings.layer}
          options={options}
          onChange={(value) => change({ layer: schema.layer.parse(value) })}
        />
        <RoundsSlider value={settings.rounds} onChange={(rounds) => change({ rounds })} />
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
      <Measured {...props} />
    </div>
  );
}

/** What its times are worth. */
const REFERENCE_WORDS =
  "The reference is a plain loop, written to be read and to be checked against; a fast CPU library is many times as fast. The project's docs/benchmarks.md has ONNX Runtime's WebAssembly beside the engine.";

/** The buttons, and the results so far: one of each layer, the last one run last. */
function Measured({ settings, share }: PartProps<BenchmarkSchema>): ComponentChild {
  const { engine, gpu } = useEngine();
  const task = useTask();
  const peak = useRef<number>();
  const [results, setResults] = useState<readonly Results[]>([]);
  const run = (layers: readonly NamedLayer[]): void =>
    task.start(async (controls) => {
      for (const layer of layers) requireLayer(layer);
      const { device } = engine;
      if (device) peak.current ??= await measurePeak({ device, engine }, controls);
      for (const [i, layer] of layers.entries()) {
        const report: TaskControls["report"] = (done, note) =>
          controls.report((i + done) / layers.length, layers.length > 1 ? `${layer.name}, ${note}` : note);
        const measured = await measureLayer({ engine, peak: peak.current }, layer, settings.rounds, {
          ...controls,
          report,
        });
        setResults((before) => [...before.filter(({ layer: { name } }) => name !== layer.name), measured]);
      }
    });
  const layer = layerOf(settings);
  return (
    <section class="panel" aria-label="Times">
      <h2>{layer.name}</h2>
      <p class="muted">
        {gpu
          ? `Forward pass and both gradients, batch 1, on this device and by the float64 reference on the CPU, in a worker. Each result must lie within a derived bound of the reference's. ${REFERENCE_WORDS}`
          : `Forward pass and both gradients, batch 1, by the float64 reference on the CPU, in a worker. There is no device here to compare it with. ${REFERENCE_WORDS}`}
      </p>
      <div class="benchmark-actions">
        <Button onPress={() => run([layer])} disabled={task.state.running}>
          Run
        </Button>
        <Button kind="secondary" onPress={() => run(TYPICAL_LAYERS)} disabled={task.state.running}>
          Run {TYPICAL_LAYERS.length} typical layers
        </Button>
        <Button kind="secondary" onPress={() => setResults([])} disabled={task.state.running || results.length === 0}>
          Clear
        </Button>
        <Progress task={task} label="Running" />
      </div>
      {results.length > 0 ? <Found results={results} share={share} /> : null}
    </section>
  );
}

function Found(props: { readonly results: readonly Results[]; readonly share: () => string }): ComponentChild {
  const { results, share } = props;
  return (
    <>
      <h3>Speed, larger is better</h3>
      <SpeedChart results={results} />
      <ResultsTable results={results} />
      <p class="small muted" role="status">
        {describeRun(results[results.length - 1])}.
      </p>
      <div class="benchmark-actions">
        <Copy label="Copy as Markdown" text={() => toMarkdown(results)} />
        <Copy label="Copy as JSON" text={() => JSON.stringify(results, undefined, 2)} />
        <Copy label="Copy the link" text={share} />
      </div>
    </>
  );
}
