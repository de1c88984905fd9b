/** The effective receptive fields of a comparison's stacks, computed as soon as they are shown. */
import type { ComponentChild } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Button } from "../../controls/button.js";
import { Progress } from "../../controls/progress.js";
import { useEngine } from "../../shell/engineContext.js";
import { useTask } from "../../shell/useTask.js";
import { CHANNELS, type EffectiveField, effectiveField } from "./effectiveField.js";
import { extentOf, NETWORKS } from "./fieldSize.js";
import { HeatMap } from "./heatMap.js";
import { ProfileChart } from "./profileChart.js";
import { type Comparison, countStack } from "./stacks.js";

export function Fields(props: {
  readonly comparison: Comparison;
  readonly seed: number;
  readonly onSeed: (seed: number) => void;
}): ComponentChild {
  const { comparison, seed, onSeed } = props;
  const { engine, active } = useEngine();
  const task = useTask();
  const [shown, setShown] = useState<{ readonly comparison: Comparison; readonly fields: readonly EffectiveField[] }>();
  useEffect(() => {
    if (!active) return undefined;
    task.start(async ({ report, pause }) => {
      const fields: EffectiveField[] = [];
      for (const [before, stack] of comparison.stacks.entries()) {
        const onPass = async (done: number): Promise<void> => {
          report((before + done / NETWORKS) / comparison.stacks.length, "Computing gradients");
          await pause();
        };
        fields.push(
          await effectiveField(engine, stack, { extent: extentOf(comparison), networks: NETWORKS, seed, onPass }),
        );
      }
      setShown({ comparison, fields });
    });
    return task.cancel;
  }, [engine, active, comparison, seed]);

  const profiles = useMemo(
    () => shown?.comparison.stacks.map(({ name }, i) => ({ name, field: shown.fields[i] })),
    [shown],
  );
  return (
    <section class="panel" aria-label="Effective receptive field">
      <h2>What the stacks see</h2>
      <p class="muted">
        How strongly each input element moves the output element in the middle: the gradient of that element, through
        all layers, as a root mean square over the channels of {NETWORKS} networks of random weights, without
        activations and with at most {CHANNELS} channels each. {comparison.seen}
      </p>
      {shown && profiles ? (
        <div class="fields">
          <div class="heat-maps">
            {profiles.map(({ name, field }, i) => (
              <HeatMap
                key={name}
                name={name}
                field={field}
                receptiveField={countStack(shown.comparison.stacks[i], 1).receptiveField}
              />
            ))}
          </div>
          <div class="profile">
            <h3>Through the middle</h3>
            <ProfileChart profiles={profiles} />
          </div>
        </div>
      ) : null}
      <div class="measure-bar">
        <Button kind="secondary" onPress={() => onSeed((seed % 9999) + 1)}>
          Other weights
        </Button>
        <Progress task={task} label="Computing receptive fields" />
      </div>
    </section>
  );
}
