/** What the formulas say of the layer, each with its numbers filled in. */
import type { ComponentChild } from "preact";
import {
  dilatedExtent,
  multiplyAdds,
  outputSize,
  parameterCount,
  receptiveField,
  unsharedParameterCount,
} from "webgpu-conv";
import { formatCount, formatNumber, formatRounded, plural } from "../../format.js";
import type { LayerSettings } from "./numbers.js";
import { describeSeen } from "./seen.js";

function Fact({ title, children }: { readonly title: string; readonly children: ComponentChild }): ComponentChild {
  return (
    <section class="fact">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** Layers that the receptive field is told for. */
const STACK = [2, 3];

export function Facts({
  settings,
  fits,
}: {
  readonly settings: LayerSettings;
  /** Whether there is an output: the formula alone does not tell. */
  readonly fits: boolean;
}): ComponentChild {
  const { W, C, F, S, P, D, K } = settings;
  const size = outputSize(W, { kernel: F, stride: S, dilation: D, padding: P });
  const exact = (W + 2 * P - dilatedExtent(F, D)) / S + 1;
  const layer = { inChannels: C, outChannels: K, kernel: [F, F] };
  const positions = [size, size];
  const spanOf = (layers: number): number =>
    receptiveField(Array.from({ length: layers }, () => ({ kernel: F, stride: S, dilation: D }))).size;
  const shared = parameterCount(layer);
  const positionCount = fits ? size * size : 0;
  return (
    <>
      <Fact title="Output size">
        <p class="formula">
          {D > 1 ? "(W − D(F − 1) − 1 + 2P) / S + 1" : "(W − F + 2P) / S + 1"}
          <br />= {D > 1 ? `(${String(W)} − ${String(D)}·${String(F - 1)} − 1` : `(${String(W)} − ${String(F)}`} + 2·{P}
          ) / {S} + 1
          <br />={" "}
          <strong data-fact="output-size">
            {Number.isInteger(exact) ? formatNumber(exact) : `${formatRounded(exact)} → ${formatNumber(size)}`}
          </strong>
        </p>
        <p class="small muted">
          {fits
            ? `Output ${String(size)} × ${String(size)} × ${String(K)}.`
            : "There is no output: these settings do not fit."}{" "}
          {D > 1 ? `The filter spans ${plural(dilatedExtent(F, D), "element")}.` : ""}
        </p>
        {fits ? (
          <p class="small muted" data-fact="seen">
            {describeSeen(settings)}
          </p>
        ) : null}
      </Fact>
      <Fact title="Weights and biases">
        <p class="formula">
          F · F · C · K + K = {F}·{F}·{C}·{K} + {K}
          <br />= <strong data-fact="weights">{formatCount(shared.total)}</strong>
          {positionCount > 1 ? " shared by all positions" : ""}
        </p>
        {positionCount > 1 ? (
          <p class="small muted">
            Without parameter sharing, {K > 1 ? "filters" : "a filter"} for each of the {positionCount} positions:{" "}
            <span data-fact="unshared">{formatCount(unsharedParameterCount(layer, positions).total)}</span>,{" "}
            {formatCount(positionCount)} times as many.
          </p>
        ) : null}
      </Fact>
      {fits ? (
        <Fact title="Multiply-adds">
          <p class="formula">
            {size}·{size} {positionCount === 1 ? "position" : "positions"} · {F}·{F}·{C}·{K}
            <br />= <strong data-fact="multiply-adds">{formatCount(multiplyAdds(layer, positions))}</strong>
          </p>
          <p class="small muted">
            {P > 0 ? "Products with padding are counted too. " : ""}As many again for each of the two gradients.
          </p>
        </Fact>
      ) : null}
      <Fact title="Receptive field">
        <p class="formula">
          D(F − 1) + 1 = <strong data-fact="receptive-field">{spanOf(1)}</strong> along each axis
        </p>
        <p class="small muted">
          {STACK.map(
            (layers) => `${String(layers)} such layers span ${String(spanOf(layers))} × ${String(spanOf(layers))}`,
          ).join("; ")}
          .
        </p>
      </Fact>
    </>
  );
}
