/** Lets the page or process do what waits: input, drawing, other tasks. */

/** What platforms have of this. */
interface Platform {
  /** Chromium and Firefox: goes on before other work of the page, but after input. */
  readonly scheduler?: { readonly yield?: () => Promise<void> };
  /** Node. */
  readonly setImmediate?: (callback: () => void) => unknown;
}

/** Resolves in a later turn of the event loop. Timers would wait four milliseconds each, where they follow one another in a page. */
export function pause(): Promise<void> {
  const { scheduler, setImmediate } = globalThis as Platform;
  if (scheduler?.yield) return scheduler.yield();
  return new Promise((resolve) => {
    if (setImmediate) {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
