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
import { formatCount } from "./format.js";
import type { LayerSettings } from "./numbers.js";

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

export function Facts({ settings }: { readonly settings: LayerSettings }): ComponentChild {
  const { W, C, F, S, P, D, K } = settings;
  const size = outputSize(W, { kernel: F, stride: S, dilation: D, padding: P });
  const exact = (W + 2 * P - dilatedExtent(F, D)) / S + 1;
  const layer = { inChannels: C, outChannels: K, kernel: [F, F] };
  const positions = [size, size];
  const sees = (layers: number): number =>
    receptiveField(Array.from({ length: layers }, () => ({ kernel: F, stride: S, dilation: D }))).size;
  const shared = parameterCount(layer);
  const unshared = size > 0 ? unsharedParameterCount(layer, positions) : undefined;
  return (
    <>
      <Fact title="Output size">
        <p class="formula">
          {D > 1 ? "(W − D(F − 1) − 1 + 2P) / S + 1" : "(W − F + 2P) / S + 1"}
          <br />= {D > 1 ? `(${String(W)} − ${String(D)}·${String(F - 1)} − 1` : `(${String(W)} − ${String(F)}`} + 2·{P}
          ) / {S} + 1
          <br />={" "}
          <strong data-fact="output-size">
            {Number.isInteger(exact) ? String(exact) : `${exact.toFixed(2)} → ${String(size)}`}
          </strong>
        </p>
        {size > 0 ? (
          <p class="small muted">
            Output {size} × {size} × {K}. {D > 1 ? `The filter spans ${String(dilatedExtent(F, D))} elements.` : ""}
          </p>
        ) : null}
      </Fact>
      <Fact title="Weights">
        <p class="formula">
          F · F · C · K + K = {F}·{F}·{C}·{K} + {K}
          <br />= <strong data-fact="weights">{formatCount(shared.total)}</strong> shared by all positions
        </p>
        {unshared ? (
          <p class="small muted">
            Without parameter sharing, a filter for each of the {size * size} positions:{" "}
            <span data-fact="unshared">{formatCount(unshared.total)}</span>, {formatCount(size * size)} times as many.
          </p>
        ) : null}
      </Fact>
      {size > 0 ? (
        <Fact title="Multiply-adds">
          <p class="formula">
            {size}·{size} positions · {F}·{F}·{C}·{K}
            <br />= <strong data-fact="multiply-adds">{formatCount(multiplyAdds(layer, positions))}</strong>
          </p>
          <p class="small muted">As many again for each of the two gradients.</p>
        </Fact>
      ) : null}
      <Fact title="Receptive field">
        <p class="formula">
          D(F − 1) + 1 = <strong data-fact="receptive-field">{sees(1)}</strong> × {sees(1)}
        </p>
        <p class="small muted">
          {STACK.map(
            (layers) => `${String(layers)} such layers see ${String(sees(layers))} × ${String(sees(layers))}`,
          ).join("; ")}
          .
        </p>
      </Fact>
    </>
  );
}
