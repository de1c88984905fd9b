/** What a view shows, in words and as the call that computes it. */
import type { ComponentChild } from "preact";
import type { View } from "./limits.js";
import type { Layer } from "./numbers.js";
import type { Scene } from "./scene.js";
import { describeCheck, wordsFor } from "./words.js";

const optionsOf = ({ S, P, D, mode }: Layer): string =>
  [
    ...(S > 1 ? [`stride: ${String(S)}`] : []),
    ...(P > 0 ? [`padding: ${String(P)}`] : []),
    ...(D > 1 ? [`dilation: ${String(D)}`] : []),
    ...(mode === "zeros" || P === 0 ? [] : [`paddingMode: "${mode}"`]),
  ].join(", ");

function callOf(layer: Layer, view: View): string {
  const options = optionsOf(layer);
  const last = options === "" ? "" : `, { ${options} }`;
  if (view === "dx") return `const dx = engine.conv2dInputGradient(dy, w, x.shape${last});`;
  if (view === "dw") return `const dw = engine.conv2dWeightGradient(dy, x, w.shape${last});`;
  return `const y = engine.conv2d(x, w, { bias${options === "" ? "" : `, ${options}`} });`;
}

export function Explanation(props: {
  readonly scene: Scene;
  readonly layer: Layer;
  readonly view: View;
}): ComponentChild {
  const { scene, layer, view } = props;
  const { check } = scene;
  return (
    <div class="explanation">
      <p>{wordsFor(layer, view)}</p>
      <pre>
        <code>{callOf(layer, view)}</code>
      </pre>
      {check ? (
        <p class="check" role="status" data-equal={check.equal}>
          {describeCheck(check)}
        </p>
      ) : null}
    </div>
  );
}
