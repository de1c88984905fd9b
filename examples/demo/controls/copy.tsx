/** Copies a text, as it is when the button is pressed; shows it to be copied by hand where the browser forbids that. */
import type { ComponentChild } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button } from "./button.js";

/** For how long it is said that something was copied: what is on screen may be something else by then. */
const SAID_MS = 4000;

export function Copy(props: {
  readonly label: string;
  readonly text: () => string;
  readonly kind?: "secondary" | "link";
}): ComponentChild {
  const { label, text, kind = "secondary" } = props;
  const [copied, setCopied] = useState<object>();
  const [shown, setShown] = useState<string>();
  useEffect(() => {
    const timer = setTimeout(() => setCopied(undefined), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = (): void => {
    const now = text();
    // The clipboard is for secure pages that are looked at.
    const clipboard = (navigator as { readonly clipboard?: Clipboard }).clipboard;
    const written = clipboard ? clipboard.writeText(now) : Promise.reject(new Error("no clipboard"));
    written.then(
      () => {
        setShown(undefined);
        setCopied({});
      },
      () => setShown(now),
    );
  };
  return (
    <span class="copy">
      <Button kind={kind} onPress={copy}>
        {label}
      </Button>{" "}
      <span role="status">{copied ? "Copied" : ""}</span>
      {shown === undefined ? null : <textarea readOnly aria-label={label} value={shown} />}
    </span>
  );
}
