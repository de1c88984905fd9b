/** Errors of asynchronous work, thrown where the page catches those of a part. */
import { useCallback, useState } from "preact/hooks";
import { useEngine } from "./engineContext.js";
import { wasLost } from "./wasLost.js";

/** A lost device is the page's to report: what fails because of it is passed over. */
export function useRethrow(): (error: unknown) => void {
  const { engine } = useEngine();
  const [failure, setFailure] = useState<{ readonly error: unknown }>();
  // While drawing: only there is it caught.
  if (failure) throw failure.error;
  return useCallback(
    (error: unknown) => {
      void wasLost(engine).then((lost) => {
        if (!lost) setFailure({ error });
      });
    },
    [engine],
  );
}
