/** Errors of asynchronous work, thrown where the page catches those of a part. */
import { useCallback, useState } from "preact/hooks";
import { useEngine } from "./engineContext.js";

/** How long a loss may take to be known after the work that it broke. */
const LOSS_MS = 300;

/** A lost device is the page's to report: what fails because of it is passed over. */
export function useRethrow(): (error: unknown) => void {
  const { engine } = useEngine();
  const [, setState] = useState(0);
  return useCallback(
    (error: unknown) => {
      const lost = engine.device?.lost.then(() => true) ?? Promise.resolve(false);
      const waited = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), LOSS_MS));
      void Promise.race([lost, waited]).then((isLost) => {
        if (isLost) return;
        setState(() => {
          throw error;
        });
      });
    },
    [engine],
  );
}
