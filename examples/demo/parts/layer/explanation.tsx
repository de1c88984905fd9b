/** What a view shows, in words and as the call that computes it. */
import type { ComponentChild } from "preact";
import { dilatedExtent } from "webgpu-conv";
import type { View } from "./limits.js";
import type { Layer } from "./numbers.js";
import type { Scene } from "./scene.js";

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

function wordsFor(layer: Layer, view: View): string {
  const { F, S, P, D } = layer;
  const taps = D > 1 ? `, its taps ${String(D)} apart,` : "";
  if (view === "forward") {
    return `Each filter${taps} slides over the padded input, ${String(S)} at a time. Where it stands, its weights are multiplied with what lies below, slice by slice, and all products are added to its bias: one number of the output.`;
  }
  if (view === "dx") {
    const between =
      S > 1
        ? ` Between its elements stand S − 1 = ${String(S - 1)} zeros, for the stride,`
        : " Its elements stand as they are,";
    const around = dilatedExtent(F, D) - 1 - P;
    return `The gradient of the input is a convolution of dy with the same filters, each flipped: turned by half a turn.${between} and around them ${String(Math.max(0, around))} zeros (D(F − 1) − P). The window moves one by one. Filters and slices change roles: the c-th slices of all filters make the gradient of the input's slice c.`;
  }
  return `The gradient of the weights is a convolution too: dy is the filter, and slides over the padded input. Stride and dilation change roles: its taps stand S = ${String(S)} apart, and it moves D = ${String(D)} at a time. Here it is written as the correlation that "convolution" means in deep learning; as the convolution of mathematics, which turns its filter, it is one with dy flipped.`;
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
          {check.equal === check.values
            ? `All ${String(check.values)} numbers of this convolution are those of ${check.call}.`
            : `${String(check.values - check.equal)} of ${String(check.values)} numbers differ from ${check.call} in their last digits: fractions are rounded in another order.`}
        </p>
      ) : null}
    </div>
  );
}
