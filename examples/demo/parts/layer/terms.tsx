/** What one source slice adds to the result: every product, laid out as the window, and their sum. */
import type { ComponentChild } from "preact";
import { formatFactor, formatNumber } from "../../format.js";
import type { SliceSum, WindowShape } from "./scene.js";
import { signOfProduct, signOfSlice } from "./sums.js";

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
        {sum.terms.map((term, tap) => (
          <li
            key={tap}
            class={term.product === 0 ? "term term-zero" : "term"}
            title={`${signOfProduct(term)} ${formatNumber(term.product)}`}
            onPointerEnter={() => onPoint(tap)}
            onPointerLeave={() => onPoint(undefined)}
          >
            {tap > 0 ? <span class="term-plus">+</span> : null}
            <span class="term-source">{formatFactor(term.source)}</span>·
            <span class="term-weight">{formatFactor(term.weight)}</span>
          </li>
        ))}
      </ol>
      <div class="terms-sum">
        {signOfSlice(sum)} {formatNumber(sum.sum)}
      </div>
    </div>
  );
}
