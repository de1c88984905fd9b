/** Errors of asynchronous work, thrown where the page catches those of a part. */
import { useCallback, useState } from "preact/hooks";
import { useEngine } from "./engineContext.js";
import { wasLost } from "./wasLost.js";

/**
 * A lost device is the page's to report: what fails because of it is passed over. So is what nobody waits for any longer:
 * `isWanted` is asked once it is known that the device is there.
 */
export function useRethrow(): (error: unknown, isWanted?: () => boolean) => void {
  const { engine } = useEngine();
  const [failure, setFailure] = useState<{ readonly error: unknown }>();
  // While drawing: only there is it caught.
  if (failure) throw failure.error;
  return useCallback(
    (error: unknown, isWanted = () => true) => {
      void wasLost(engine).then((lost) => {
        if (!lost && isWanted()) setFailure({ error });
      });
    },
    [engine],
  );
}
