/** What one source slice adds to the result: every product, laid out as the window, and their sum. */
import type { ComponentChild } from "preact";
import { formatFactor, formatNumber } from "./format.js";
import type { SliceSum, WindowShape } from "./scene.js";

/** Wider windows are written line after line, whatever their shape. */
const WIDEST = 5;

export function Terms(props: {
  readonly sum: SliceSum;
  readonly window: WindowShape;
  /** The products' factors, in symbols. */
  readonly title: string;
  /** A term is pointed at, or no longer. */
  readonly onPoint: (tap: number | undefined) => void;
}): ComponentChild {
  const { sum, window, title, onPoint } = props;
  const asWindow = window.width <= WIDEST;
  return (
    <div class="terms">
      <div class="terms-title">{title}</div>
      <ol
        class={asWindow ? "terms-window" : "terms-flow"}
        style={asWindow ? { gridTemplateColumns: `repeat(${String(window.width)}, max-content)` } : undefined}
      >
        {sum.terms.map(({ source, weight, product }, tap) => (
          <li
            key={tap}
            class={product === 0 ? "term term-zero" : "term"}
            title={`= ${formatNumber(product)}`}
            onPointerEnter={() => onPoint(tap)}
            onPointerLeave={() => onPoint(undefined)}
          >
            {tap > 0 ? <span class="term-plus">+</span> : null}
            <span class="term-source">{formatFactor(source)}</span>·
            <span class="term-weight">{formatFactor(weight)}</span>
          </li>
        ))}
      </ol>
      <div class="terms-sum">= {formatNumber(sum.sum)}</div>
    </div>
  );
}
