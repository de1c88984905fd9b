/** A part, loaded when it is first shown. What it throws is shown in its place. */
import { Component, type ComponentChild, type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button } from "../controls/button.js";
import type { Part, PartProps } from "../parts/part.js";
import type { Schema } from "../settings/schema.js";
import { Notice } from "./notice.js";
import { describeError } from "./useTask.js";

/** What came of an attempt. */
type Loaded = { readonly attempt: number } & (
  { readonly view: ComponentType<PartProps<Schema>> } | { readonly failure: string }
);

export function PartView({ part, ...props }: { readonly part: Part } & PartProps<Schema>): ComponentChild {
  const [loaded, setLoaded] = useState<Loaded>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let shown = true;
    part.load().then(
      ({ default: view }) => shown && setLoaded({ attempt, view }),
      (error: unknown) => shown && setLoaded({ attempt, failure: describeError(error) }),
    );
    return () => {
      shown = false;
    };
  }, [part, attempt]);

  const again = <Button onPress={() => setAttempt(attempt + 1)}>Try again</Button>;
  // What an earlier attempt loaded is not shown in between: it would start to compute, and be taken away.
  if (loaded?.attempt !== attempt) return <p aria-busy="true">Loading {part.title}</p>;
  if ("failure" in loaded)
    return <Notice tone="error" title="This part could not be loaded" text={loaded.failure} actions={again} />;
  return (
    <Boundary key={attempt} again={again}>
      <loaded.view {...props} />
    </Boundary>
  );
}

interface BoundaryProps {
  readonly again: ComponentChild;
  readonly children: ComponentChild;
}

class Boundary extends Component<BoundaryProps, { readonly failure: string | undefined }> {
  override state = { failure: undefined };

  static override getDerivedStateFromError(error: unknown): { failure: string } {
    return { failure: describeError(error) };
  }

  override render({ again, children }: BoundaryProps, { failure }: { failure: string | undefined }): ComponentChild {
    if (failure === undefined) return children;
    return <Notice tone="error" title="This part stopped" text={failure} actions={again} />;
  }
}
