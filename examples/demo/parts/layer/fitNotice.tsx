/** Why settings do not fit, and buttons for the nearest that do. */
import type { ComponentChild } from "preact";
import { Button } from "../../controls/button.js";
import { Notice } from "../../shell/notice.js";
import type { Fit, Remedy } from "./fit.js";

export function FitNotice({
  fit,
  onApply,
}: {
  readonly fit: Fit;
  readonly onApply: (remedy: Remedy) => void;
}): ComponentChild {
  if (fit.kind === "fits") return null;
  const actions = fit.remedies.map((remedy) => {
    const words = Object.entries(remedy).map(([name, value]) => `${name} = ${String(value)}`);
    return (
      <Button key={words.join()} kind="secondary" onPress={() => onApply(remedy)}>
        Use {words.join(", ")}
      </Button>
    );
  });
  return (
    <Notice
      tone={fit.kind === "impossible" ? "error" : "info"}
      title={fit.kind === "impossible" ? "These settings do not fit" : "These settings do not fit evenly"}
      text={`${fit.reason} The nearest that ${fit.remedies.length === 1 ? "fits" : "fit"}:`}
      actions={actions}
    />
  );
}
