/** What surrounds the parts: the navigation above, the device below. */
import type { ComponentChild } from "preact";
import type { Engine } from "webgpu-conv";
import { Copy } from "../controls/copy.js";
import type { Part } from "../parts/part.js";

export function Header(props: {
  readonly parts: readonly Part[];
  readonly current: Part;
  readonly hrefOf: (part: Part) => string;
  readonly toContent: () => void;
}): ComponentChild {
  const { parts, current, hrefOf, toContent } = props;
  return (
    <header class="page-header">
      <button type="button" class="skip" onClick={toContent}>
        Skip to content
      </button>
      <div class="container">
        <a class="brand" href={hrefOf(parts[0])}>
          <span class="brand-mark" aria-hidden="true" />
          webgpu-conv
        </a>
        <nav aria-label="Parts">
          <ul>
            {parts.map((part) => (
              <li key={part.id}>
                <a href={hrefOf(part)} aria-current={part === current ? "page" : undefined}>
                  {part.name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      </div>
    </header>
  );
}

export function Footer(props: {
  readonly engine: Engine | undefined;
  /** The page's address, as it is now. */
  readonly share: () => string;
}): ComponentChild {
  const { engine, share } = props;
  return (
    <footer class="page-footer">
      <div class="container">
        <p>
          {engine ? `Runs on ${engine.adapter.description}.` : "No device."} Nothing leaves this page: pictures and
          numbers stay in your browser.
        </p>
        <p class="copy-link">
          <Copy kind="link" label="Copy the link to this view" text={share} />
        </p>
      </div>
    </footer>
  );
}
