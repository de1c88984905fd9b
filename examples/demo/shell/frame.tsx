/** What surrounds the parts: the navigation above, the device below. */
import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import type { Engine } from "webgpu-conv";
import { Button } from "../controls/button.js";
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

export function Footer({ engine }: { readonly engine: Engine | undefined }): ComponentChild {
  return (
    <footer class="page-footer">
      <div class="container">
        <p>
          {engine ? `Runs on ${engine.adapter.description}.` : "No device."} Nothing leaves this page: pictures and
          numbers stay in your browser.
        </p>
        <CopyLink />
      </div>
    </footer>
  );
}

/** Copies the page's address, which holds the part and its settings. */
function CopyLink(): ComponentChild {
  const [said, setSaid] = useState("");
  const copy = (): void => {
    // The clipboard is for secure pages that are looked at; elsewhere the address bar has the same.
    const clipboard = (navigator as { readonly clipboard?: Clipboard }).clipboard;
    const written = clipboard ? clipboard.writeText(location.href) : Promise.reject(new Error("no clipboard"));
    written.then(
      () => setSaid("Copied."),
      () => setSaid("The address bar has it."),
    );
  };
  return (
    <p class="copy-link">
      <Button kind="link" onPress={copy}>
        Copy the link to this view
      </Button>{" "}
      <span role="status">{said}</span>
    </p>
  );
}
