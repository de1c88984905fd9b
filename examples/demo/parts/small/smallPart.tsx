/** The power of small filters: stacks compared by formula, by the clock, and by what they see. */
import "./small.css";
import type { ComponentChild } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Button } from "../../controls/button.js";
import { Progress } from "../../controls/progress.js";
import { Select } from "../../controls/select.js";
import { RoundsSlider } from "../../controls/roundsSlider.js";
import { Reference } from "../../reference/reference.js";
import { useEngine } from "../../shell/engineContext.js";
import { useTask } from "../../shell/useTask.js";
import { clockWords, ROUND_WORDS } from "../deviceSamples.js";
import type { PartProps } from "../part.js";
import { CountsTable } from "./countsTable.js";
import { Fields } from "./fields.js";
import { DeviceStack, measureStacks, ReferenceStack, type Times } from "./measure.js";
import { COMPARISONS, schema, type SmallSchema } from "./part.js";
import { type Comparison, comparisonOf, countStack } from "./stacks.js";

/** The reference takes a second for what a GPU does in a millisecond: there the layers are smaller. */
const LARGEST_ON_CPU = 14;

const sizes = (values: readonly string[], unit: string): { readonly value: string; readonly text: string }[] =>
  values.map((value) => ({ value, text: unit === "" ? `${value} × ${value}` : `${value} ${unit}` }));

export default function SmallPart({ settings, change }: PartProps<SmallSchema>): ComponentChild {
  const { gpu } = useEngine();
  const channels = Number(settings.C);
  const comparison = useMemo(() => comparisonOf(settings.compare, channels), [settings.compare, channels]);
  const extent = gpu ? Number(settings.W) : Math.min(Number(settings.W), LARGEST_ON_CPU);
  return (
    <div class="small-part">
      <section class="panel settings-grid" aria-label="Settings">
        <Select
          label="Compare"
          value={settings.compare}
          options={COMPARISONS.map((value) => ({ value, text: comparisonOf(value, channels).title }))}
          onChange={(compare) => change({ compare })}
        />
        <Select
          label="Channels"
          value={settings.C}
          options={sizes(["16", "32", "64", "128"], "channels").map((option) =>
            settings.compare === "bottleneck" ? { ...option, text: "256 and 64 channels" } : option,
          )}
          disabled={settings.compare === "bottleneck"}
          onChange={(value) => change({ C: schema.C.parse(value) })}
        />
        <Select
          label="Height and width"
          value={settings.W}
          options={sizes(["14", "28", "56", "112"], "")}
          onChange={(value) => change({ W: schema.W.parse(value) })}
        />
        <RoundsSlider value={settings.rounds} onChange={(rounds) => change({ rounds })} />
      </section>
      <Measured
        key={`${settings.compare} ${settings.C} ${String(extent)}`}
        comparison={comparison}
        extent={extent}
        settings={settings}
      />
      <Fields comparison={comparison} seed={settings.seed} onSeed={(seed) => change({ seed })} />
    </div>
  );
}

/** The table, and the measuring that fills its last rows. Of one choice of settings: another starts empty. */
function Measured(props: {
  readonly comparison: Comparison;
  readonly extent: number;
  readonly settings: PartProps<SmallSchema>["settings"];
}): ComponentChild {
  const { comparison, extent, settings } = props;
  const { engine, gpu } = useEngine();
  const task = useTask();
  const [measured, setMeasured] = useState<Times>();
  const { stacks } = comparison;
  const { rounds, seed } = settings;
  const measure = (): void =>
    task.start(async (controls) => {
      using reference = gpu ? undefined : new Reference(controls.signal);
      const runs = stacks.map((stack) =>
        reference ? new ReferenceStack(reference, stack, extent) : new DeviceStack(engine, stack, extent, seed),
      );
      setMeasured(await measureStacks(runs, rounds, controls));
    });
  return (
    <section class="panel" aria-label={comparison.title}>
      <h2>{comparison.title}</h2>
      <p class="muted">{comparison.point}</p>
      <CountsTable stacks={stacks} counts={stacks.map((stack) => countStack(stack, extent))} measured={measured} />
      <div class="measure-bar">
        <Button onPress={measure} disabled={task.state.running}>
          Measure on this device
        </Button>
        <Progress task={task} label="Measuring" />
        <p class="small muted" role="status">
          {measured ? describeTimes(measured, engine.adapter.description, gpu) : ""}
          {gpu ? "" : ` On the CPU the layers are at most ${String(LARGEST_ON_CPU)} × ${String(LARGEST_ON_CPU)}.`}
        </p>
      </div>
    </section>
  );
}

function describeTimes({ rounds, clock }: Times, device: string, gpu: boolean): string {
  const what = gpu
    ? "a ReLU after each layer, batch of 1"
    : "batch of 1, the convolutions alone, by a plain float64 loop in a worker: no fast CPU library";
  return `Median of ${String(rounds)} rounds in turns on ${device}, ${ROUND_WORDS}, by ${clockWords(clock)}; ${what}.`;
}
